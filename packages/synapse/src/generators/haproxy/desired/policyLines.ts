import type { Policy } from '../block/policySchema.js';

/** Lines that a policy comes to, and what cannot be had of it. */
export interface PolicyLines {
  readonly lines: readonly string[];
  readonly warnings: readonly string[];
}

/** A variable of the request: whether it may be sent twice. */
export const mayRepeat = 'txn.synapse_idempotent';

/** After this line of a backend a request that was not declared so is sent once. */
export const onceUnlessDeclared = `http-request disable-l7-retry unless { var(${mayRepeat}) -m bool }`;

type Retries = NonNullable<Policy['retries']>;

function routeTest({
  methods,
  path,
}: {
  readonly methods: readonly string[];
  readonly path: string;
}): string {
  const anywhere = path === '/';
  return `{ method ${methods.join(' ')} }${anywhere ? '' : ` { path_beg ${path} }`}`;
}

/** Only what was declared goes twice: with more than one route, a line for each. A budget asks for the variable, too. */
function repeatLines({ idempotent: routes, budget }: Retries): readonly string[] {
  const [only, ...others] = routes;
  if (only !== undefined && others.length === 0 && budget === false)
    return only.path === '/'
      ? [`http-request disable-l7-retry unless ${routeTest(only)}`]
      : [
          `http-request disable-l7-retry if !{ method ${only.methods.join(' ')} } or !{ path_beg ${only.path} }`,
        ];
  return [
    ...routes.map((route) => `http-request set-var(${mayRepeat}) bool(true) if ${routeTest(route)}`),
    onceUnlessDeclared,
  ];
}

/** The budget goes along as a comment, from which its lines are made where they can be had (`withBudgets`). */
function budgetNote(budget: Retries['budget']): string {
  return budget === false
    ? ''
    : ` # budget ${Math.round(budget.ratio * 100)}% and ${budget.min_per_second}/s`;
}

/** The lines of a backend that a policy comes to; in mode tcp, those alone that mean something there. */
export function policyLines(policy: Policy, http: boolean): PolicyLines {
  const { timeouts, retries, circuit_breaker: breaker } = policy;
  const waits = (['connect', 'queue', 'server'] as const).flatMap((name) =>
    timeouts?.[name] === undefined ? [] : [`timeout ${name} ${timeouts[name]}`],
  );
  if (!http) {
    const left = [...(retries ? ['retries'] : []), ...(breaker ? ['circuit_breaker'] : [])];
    const warnings = left.length === 0 ? [] : [`policy: ${left.join(' and ')} need \`mode http\`: left out`];
    return { lines: waits, warnings };
  }
  const again =
    retries === undefined
      ? []
      : [
          `retries ${retries.attempts}${budgetNote(retries.budget)}`,
          // Each attempt goes elsewhere: by itself HAProxy asks the same server until the last one.
          'option redispatch 1',
          `retry-on ${[...new Set(retries.on)].join(' ')}`,
          ...repeatLines(retries),
        ];
  const open =
    breaker === undefined
      ? []
      : [`default-server observe layer7 error-limit ${breaker.errors} on-error ${breaker.action}`];
  return { lines: [...waits, ...again, ...open], warnings: [] };
}

/** HAProxy warns of rules about requests behind these. */
const afterRules = /^\s*(redirect|use_backend|use-server)\s/;
const modeLine = /^\s*mode\s/;

/** The lines of a backend with those of a policy: before what ends its rules, and behind its mode, which they need. */
export function withPolicyLines(lines: readonly string[], policy: readonly string[]): readonly string[] {
  const end = lines.findIndex((line) => afterRules.test(line));
  const at = Math.max(end < 0 ? lines.length : end, lines.findLastIndex((line) => modeLine.test(line)) + 1);
  return [...lines.slice(0, at), ...policy, ...lines.slice(at)];
}
