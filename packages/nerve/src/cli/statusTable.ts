import type * as z from 'zod';
import type { serviceShape } from '../api/shapes.js';
import { age, cut, plainText, table } from '@smartstack/agent/cli';

/** A service as the API shows it. */
export type ServiceView = z.output<typeof serviceShape>;

/** For whom it is written: the time (wall clock milliseconds), and the width of the terminal if it is one. */
export interface Page {
  readonly now: number;
  readonly width: number | undefined;
}

/** Whether it takes part: it is up and not drained. */
export function isWell({ health, drain }: ServiceView): boolean {
  return health === 'up' && drain === undefined;
}

function since({ transitions }: ServiceView, { now }: Page): string {
  const last = transitions.at(-1);
  return last === undefined ? '-' : age(now - last.at);
}

function registrationText({ registration }: ServiceView): string {
  const { kind, reporters } = registration;
  if (reporters === undefined) return kind;
  return `${kind} (${reporters.map((one) => `${one.reporter} ${one.kind}`).join(', ')})`;
}

function drainText({ drain }: Pick<ServiceView, 'drain'>): string {
  if (drain === undefined) return '-';
  return `${drain.phase}${drain.scope === 'host' ? ' (host)' : ''}`;
}

/** Why, by whom and until when. */
export function drainDetails(drain: {
  readonly reason?: string | undefined;
  readonly by?: string | undefined;
  readonly since: number;
  readonly until?: number | undefined;
}): string {
  const { reason, by, until } = drain;
  return [
    `since ${iso(drain.since)}`,
    ...(until === undefined ? [] : [`until ${iso(until)}`]),
    ...(by === undefined ? [] : [`by ${by}`]),
    ...(reason === undefined ? [] : [`because: ${reason}`]),
  ].join(', ');
}

function iso(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Published first, for that is what counts; what differs from it after that. */
function weightText({ weight: { configured, ordered, published } }: ServiceView): string {
  const wanted = ordered?.value ?? configured;
  const parts = [
    ...(published !== undefined && published !== wanted ? [`${published} of ${wanted ?? '-'}`] : []),
    ...(published === undefined || published === wanted ? [`${wanted ?? '-'}`] : []),
    ...(ordered === undefined ? [] : ['(ordered)']),
  ];
  return parts.join(' ');
}

function whyNot({ reason, held, drain, registration, throttled }: ServiceView): string {
  if (reason !== undefined) return reason;
  if (drain !== undefined) return drainDetails(drain);
  if (held !== undefined) return held;
  if (throttled) return 'waits for its rate limit';
  return registration.error ?? '';
}

/** All services of the host, one a line. */
export function servicesTable(services: readonly ServiceView[], page: Page): readonly string[] {
  const header = ['SERVICE', 'HEALTH', 'SINCE', 'REGISTRATION', 'DRAIN', 'WEIGHT', 'CHECKS', 'WHY'];
  const rows = services.map((one) => [
    one.service,
    one.health,
    since(one, page),
    registrationText(one),
    drainText(one),
    weightText(one),
    `${one.checks.filter(({ health }) => health === 'up').length}/${one.checks.length}`,
    whyNot(one),
  ]);
  return table(header, rows, page.width);
}

/** One service with everything that is known of it. */
export function servicePage(one: ServiceView, page: Page): readonly string[] {
  const { instance, registration, drain, weight, held } = one;
  const facts: [string, string | undefined][] = [
    ['service', one.service],
    [
      'health',
      `${one.health}, since ${since(one, page)}${one.reason === undefined ? '' : `: ${one.reason}`}`,
    ],
    [
      'address',
      `${instance.host}:${instance.port}${instance.name === undefined ? '' : ` as ${instance.name}`}`,
    ],
    ['registration', stateText(registration)],
    ...(registration.reporters ?? []).map((state): [string, string] => [
      `  ${state.reporter}`,
      stateText(state),
    ]),
    ['held', held],
    ['drain', drain && `${drainText(one)}, ${drainDetails(drain)}`],
    [
      'weight',
      [
        `configured ${weight.configured ?? '-'}`,
        `ordered ${weight.ordered?.value ?? '-'}${weight.ordered?.by === undefined ? '' : ` by ${weight.ordered.by}`}`,
        `published ${weight.published ?? '-'}`,
      ].join(', '),
    ],
  ];
  const lines = facts.flatMap(([key, value]) =>
    value === undefined ? [] : [cut(`${plainKey(key).padEnd(14)}${plainText(value)}`, page.width)],
  );
  const checks = one.checks.map(({ name, health, last }) => [
    name,
    health,
    last === undefined ? '-' : last.ok ? 'pass' : 'fail',
    last === undefined ? '-' : age(page.now - last.at),
    last === undefined ? '-' : `${last.tookMs.toFixed(1)} ms`,
    last?.reason ?? '',
  ]);
  // Newest first, as the changes below.
  const results = one.checks.flatMap(({ name, history = [] }) =>
    history
      .map(({ ok, at, tookMs, reason }) => [
        ...[name, iso(at), ok ? 'pass' : 'fail', `${tookMs.toFixed(1)} ms`],
        reason ?? '',
      ])
      .reverse(),
  );
  const changes = one.transitions.map(({ at, to, reason }) => [iso(at), to, reason ?? '']).reverse();
  return [
    ...lines,
    '',
    ...table(['CHECK', 'HEALTH', 'LAST', 'AGE', 'TOOK', 'REASON'], checks, page.width),
    ...(results.length === 0
      ? []
      : ['', ...table(['CHECK', 'AT', 'RESULT', 'TOOK', 'REASON'], results, page.width)]),
    ...(changes.length === 0 ? [] : ['', ...table(['CHANGED', 'TO', 'REASON'], changes, page.width)]),
  ];
}

function plainKey(key: string): string {
  return `${key.startsWith(' ') ? '  ' : ''}${plainText(key)}`;
}

function stateText(state: { kind: string; place?: string | undefined; error?: string | undefined }): string {
  const { kind, place, error } = state;
  return `${kind}${place === undefined ? '' : ` at ${place}`}${error === undefined ? '' : `: ${error}`}`;
}
