import type { Instance } from '@smartstack/registry';

import type { Arrivals } from '../catalog/arrivals.js';
import type { CatalogRules } from '../catalog/definition.js';
import { identityOf } from '../catalog/select.js';
import type { GeneratorTrace, ServerTrace, Snapshot, SourceEntry } from '../catalog/types.js';
import { type Verdict, verdicts } from '../catalog/verdicts.js';
import type { ExplainedServer, Explanation, Step } from './shapes.js';

/** Everything that is known of a service. */
export interface Evidence {
  readonly service: string;
  /** The source in words: `zookeeper zk1:2181/services/web`. */
  readonly place: string;
  /** Those of its watchers by name, where it has several. */
  readonly partPlaces?: ReadonlyMap<string, string>;
  readonly entries: readonly SourceEntry[];
  /** Where it has several watchers: from which each instance comes, by its identity. */
  readonly origins?: ReadonlyMap<string, string>;
  readonly arrivals: Arrivals;
  readonly snapshot: Snapshot;
  readonly known: readonly Instance[];
  readonly rules: CatalogRules;
  /** For how long the source has been lost. */
  readonly staleMs: number;
  /** What is wrong in the source. */
  readonly problems: readonly { readonly path: string; readonly reason: string }[];
  readonly generators: readonly { readonly name: string; readonly trace: GeneratorTrace }[];
  /** Wall clock milliseconds. */
  readonly now: number;
}

const timed = (at: number | undefined): { at?: number } => (at === undefined ? {} : { at });
const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** The instances whose way into the generators is worth following. */
export function subjects({ snapshot, known, rules }: Evidence): readonly Instance[] {
  return verdicts(snapshot, known, rules).all.map(({ instance }) => instance);
}

/** The chain from the source to what runs, for the service and for each of its servers. A pure function. */
export function explain(evidence: Evidence): Explanation {
  const { service, snapshot, known, rules, generators } = evidence;
  const { source, all } = verdicts(snapshot, known, rules);
  const steps: Step[] = [
    sourceStep(evidence),
    ...partSteps(evidence),
    fallbackStep(evidence, source, all),
    filterStep(evidence, all),
    ...generators.flatMap(({ name, trace }) => trace.steps.map((step) => ({ ...step, generator: name }))),
  ];
  const failed = steps.find(({ ok }) => !ok);
  const tiers = generators.flatMap(({ name, trace }) =>
    (trace.tiers ?? []).map((tier) => ({ generator: name, ...tier })),
  );
  return {
    ...{ service, source, ok: failed === undefined },
    ...(failed && { reason: `${failed.step}: ${failed.detail}` }),
    ...(tiers.length > 0 && { tiers }),
    ...{ steps, servers: explainServers(evidence, all) },
  };
}

function sourceStep({ place, snapshot, problems, staleMs, now }: Evidence): Step {
  if (snapshot.status === 'pending')
    return { step: 'source', ok: false, detail: `${place}: it has told nothing yet` };
  const bad =
    problems.length === 0 ? '' : `, ${plural(problems.length, 'problem')}: ${problems[0]?.reason ?? ''}`;
  const held = snapshot.instances.filter((instance) => instance.held).length;
  const kept =
    held === 0 ? '' : `, and ${plural(held, 'instance')} that vanished with most others, held (mass_loss)`;
  const told = `${plural(snapshot.instances.length - held, 'registration')}${bad}${kept}`;
  if (snapshot.status === 'stale')
    return { step: 'source', ok: false, at: now - staleMs, detail: `${place}: lost; it told ${told}` };
  return { step: 'source', ok: true, detail: `${place}: live, ${told}` };
}

/** Where a service has several watchers: what each of them knows. */
function partSteps({ snapshot, partPlaces }: Evidence): readonly Step[] {
  return (snapshot.parts ?? []).map(({ name, status, instances, used, previous }) => {
    const told =
      status === 'pending'
        ? 'it has told nothing yet'
        : `${status === 'stale' ? 'lost; it told' : 'live,'} ${plural(instances, 'registration')}`;
    const stay = previous > 0 ? `, the ${previous} before stay (use_previous_backends)` : '';
    const place = partPlaces?.get(name);
    const where = place === undefined ? name : `${name}: ${place}`;
    const detail = `${where}: ${told}${stay}${used ? '' : '; not used'}`;
    // One that is not used does the service no harm.
    return { step: 'watcher', ok: status === 'live' || !used, detail };
  });
}

function fallbackStep({ staleMs, now }: Evidence, source: string, all: readonly Verdict[]): Step {
  const lost = { at: now - staleMs };
  switch (source) {
    case 'live':
      return { step: 'fallback', ok: true, detail: 'not needed' };
    case 'stale':
      return { step: 'fallback', ok: true, ...lost, detail: 'what the source told last stays' };
    case 'default':
      return { step: 'fallback', ok: true, detail: 'the source is empty: default_servers stand in' };
    case 'previous':
      return {
        step: 'fallback',
        ok: all.length > 0,
        detail: `the source is empty: the ${plural(all.length, 'instance')} before stay (use_previous_backends)`,
      };
    default:
      return { step: 'fallback', ok: true, ...lost, detail: 'until it tells something, memory stands in' };
  }
}

function filterStep({ rules }: Evidence, all: readonly Verdict[]): Step {
  const left = all.filter(({ leftOut }) => leftOut === undefined).length;
  const parts = [
    ...(rules.labelFilters.length > 0 ? [plural(rules.labelFilters.length, 'label filter')] : []),
    ...(rules.leaderElection ? ['leader election'] : []),
  ];
  const how = parts.length === 0 ? 'no filter' : parts.join(', ');
  return {
    step: 'filter',
    ok: left > 0 || all.length === 0,
    detail: `${how}: ${left} of ${all.length} pass`,
  };
}

function explainServers(evidence: Evidence, all: readonly Verdict[]): readonly ExplainedServer[] {
  const { entries, origins, arrivals, generators } = evidence;
  const places = new Map(
    entries.flatMap((entry) => (entry.instance ? [[entry.instance, entry] as const] : [])),
  );
  const traces = new Map<string, { readonly generator: string; readonly trace: ServerTrace }[]>();
  const own: { readonly generator: string; readonly trace: ServerTrace }[] = [];
  for (const { name: generator, trace } of generators) {
    for (const server of trace.servers) {
      if (server.instance === undefined) own.push({ generator, trace: server });
      else {
        const key = identityOf(server.instance);
        traces.set(key, [...(traces.get(key) ?? []), { generator, trace: server }]);
      }
    }
  }
  const told = all.map((verdict): ExplainedServer => {
    const entry = places.get(verdict.told);
    const before = [...originSteps(verdict, entry, arrivals), verdictStep(verdict)];
    const found = verdict.leftOut?.startsWith('it is registered twice')
      ? []
      : (traces.get(identityOf(verdict.instance)) ?? []);
    const watcher = origins?.get(identityOf(verdict.told));
    return { ...explained(verdict.instance, before, found), ...(watcher !== undefined && { watcher }) };
  });
  const bad = entries.filter(({ instance, problem }) => instance === undefined && problem !== undefined);
  const undecoded = bad.map(({ place, problem = '', createdAt }): ExplainedServer => {
    const steps: Step[] = [
      { step: 'source', ok: true, ...timed(createdAt), detail: place },
      { step: 'decoded', ok: false, detail: problem },
    ];
    const server = place.slice(place.lastIndexOf('/') + 1);
    return { server, state: 'unreadable', takesTraffic: false, reason: `decoded: ${problem}`, steps };
  });
  const left = new Map(arrivals.departed.map(({ instance, at }) => [nameOf(instance), at]));
  const strangers = own.map(({ generator, trace }) => {
    const at = left.get(trace.server);
    const detail = at === undefined ? 'the source has no such instance' : 'it left the source';
    return explained(
      undefined,
      [{ step: 'source', ok: false, ...timed(at), detail }],
      [{ generator, trace }],
    );
  });
  return [...told, ...strangers, ...undecoded];
}

/** As a generator that knows nothing better would name it: Ruby's name of a server. */
function nameOf({ name = '', host, port }: Instance): string {
  return `${name === '' ? '' : `${name}_`}${host}:${port}`;
}

function originSteps(verdict: Verdict, entry: SourceEntry | undefined, arrivals: Arrivals): readonly Step[] {
  const { told, origin } = verdict;
  if (origin === 'default') return [{ step: 'source', ok: true, detail: 'default_servers' }];
  if (origin === 'previous')
    return [{ step: 'source', ok: true, detail: 'gone from the source, kept (use_previous_backends)' }];
  if (told.held)
    return [
      {
        ...{ step: 'source', ok: false },
        detail: 'gone from the source with most others: held while HAProxy checks it (mass_loss)',
      },
    ];
  const arrival = arrivals.of(told);
  const labels = told.labels === undefined ? '' : `, labels ${JSON.stringify(told.labels)}`;
  const weight = told.weight === undefined ? '' : `, weight ${told.weight}`;
  return [
    {
      ...{ step: 'source', ok: true },
      ...timed(entry?.createdAt ?? arrival?.since),
      detail: entry?.place ?? 'told by the source',
    },
    {
      ...{ step: 'decoded', ok: true },
      ...timed(arrival?.changedAt),
      detail: `${nameOf(told)}${weight}${labels}${entry?.problem === undefined ? '' : `; its last good version, for: ${entry.problem}`}`,
    },
  ];
}

function verdictStep({ leftOut }: Verdict): Step {
  return { step: 'filter', ok: leftOut === undefined, detail: leftOut ?? 'passes' };
}

const unused: Step = { step: 'desired', ok: false, detail: 'no generator has the service' };

function explained(
  instance: Instance | undefined,
  before: readonly Step[],
  found: readonly { readonly generator: string; readonly trace: ServerTrace }[],
): ExplainedServer {
  const steps = [
    ...before,
    ...found.flatMap(({ generator, trace }) => trace.steps.map((step) => ({ ...step, generator }))),
  ];
  // Who can be asked whether it takes traffic has the last word; of files, that it stands in them is all there is.
  const asked = found.filter(({ trace }) => trace.takesTraffic !== undefined);
  const first = (asked[0] ?? found[0])?.trace;
  const failed = steps.find(({ ok }) => !ok) ?? (found.length > 0 ? undefined : unused);
  const takesTraffic =
    asked.length > 0 ? asked.every(({ trace }) => trace.takesTraffic) : failed === undefined;
  const { address, weight, note, tier, standsBy } = first ?? {};
  return {
    server: first?.server ?? (instance === undefined ? '' : nameOf(instance)),
    ...(instance && { host: instance.host, port: instance.port }),
    ...(address !== undefined && { address }),
    state: first?.state ?? 'absent',
    ...(weight !== undefined && { weight }),
    takesTraffic,
    ...(tier !== undefined && { tier }),
    ...(standsBy !== undefined && { standsBy }),
    ...(note !== undefined && { note }),
    ...(!takesTraffic && failed && { reason: `${failed.step}: ${failed.detail}` }),
    steps,
  };
}
