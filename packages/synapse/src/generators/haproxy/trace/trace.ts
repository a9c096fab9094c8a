import type { Instance } from '@smartstack/registry';
import type { Location } from '../../../catalog/locality.js';
import type { GeneratorTrace, ServerTrace, TraceStep } from '../../../catalog/types.js';
import { hostPort, serverName } from '../../names.js';
import { renderServer } from '../desired/render.js';
import type { HaproxyIssue } from '../desired/issue.js';
import type { QuarantineEntry } from '../file/quarantineStore.js';
import type { Look, SeenServer } from '../runtime/look.js';
import type { DesiredState, ReloadReason, Server, ServiceSections } from '../types.js';
import { isUp, membershipOf, type Tier, tiersOf, tierSteps } from './tiers.js';
import type { Timeline } from './timeline.js';

/** What one process says of one backend, or why there is no answer. */
type Seen =
  | {
      readonly socket: string;
      readonly pid: string;
      /** Undefined where the process has no such backend. */
      readonly servers: readonly SeenServer[] | undefined;
      /** Those that were asked for: the service's, and its tiers'. */
      readonly backends: ReadonlyMap<string, readonly SeenServer[]>;
    }
  | { readonly socket: string; readonly problem: string };

/** What a look says of one backend. */
export function seenOf(look: Look, backend: string): Seen {
  if ('problem' in look) return look;
  const { socket, pid, backends } = look;
  return { socket, pid, backends, servers: backends.get(backend) };
}

/** What a trace is made of. */
export interface TraceSources {
  readonly service: string;
  readonly backend: string;
  /** The instances that are asked about. */
  readonly instances: readonly Instance[];
  readonly desired: DesiredState | undefined;
  readonly issues: readonly HaproxyIssue[];
  readonly held: readonly QuarantineEntry[];
  readonly file: {
    readonly path: string;
    readonly written: { readonly desired: DesiredState; readonly at: number } | undefined;
    readonly problem: string | undefined;
  };
  /** Why a reload is due, or under way. */
  readonly reasons: readonly ReloadReason[];
  /** What the processes say of the service's backend. */
  readonly seen: readonly Seen[];
  readonly timeline: Timeline;
  /** Why a server has another weight than its own, where it has. */
  readonly steered?: (server: string) => { readonly factor: number; readonly reason: string } | undefined;
  /** Where this host is. */
  readonly location: Location;
  /** Wall clock milliseconds. */
  readonly now: number;
}

const timed = (at: number | undefined): { at?: number } => (at === undefined ? {} : { at });

function sectionsOf(state: DesiredState | undefined, service: string): ServiceSections | undefined {
  return state?.services.find((each) => each.service === service);
}

/** A service, and its servers, from what is wanted to what runs. A pure function. */
export function trace(sources: TraceSources): GeneratorTrace {
  const { service, desired, file } = sources;
  const wanted = sectionsOf(desired, service);
  const written = sectionsOf(file.written?.desired, service);
  if (isLeftAlone(sources, wanted ?? written))
    return { steps: [{ step: 'desired', ok: true, detail: 'disabled: it has no section' }], servers: [] };
  const tiers = tiersOf({
    ...{ service, desired, sections: written ?? wanted },
    processes: sources.seen.flatMap((each) => ('backends' in each ? [each.backends] : [])),
  });
  const steps = [
    desiredStep(sources, wanted),
    loadedStep(sources, written),
    ...runningSteps(sources, wanted),
    ...tierSteps(tiers, sources.backend),
  ];
  const names = new Map<string, Instance | undefined>();
  const unnamed: ServerTrace[] = [];
  for (const instance of sources.instances) {
    const name = serverName(instance);
    if ('value' in name) names.set(name.value, instance);
    else unnamed.push(unusable(instance, name.reason));
  }
  const seenNames = sources.seen.flatMap((each) => ('servers' in each ? (each.servers ?? []) : []));
  for (const { name } of [...(wanted?.backend.servers ?? []), ...seenNames])
    if (!names.has(name)) names.set(name, undefined);
  const servers = [...names].map(([name, instance]) =>
    serverTrace({ ...sources, name, instance, wanted, written, tiers }),
  );
  return {
    ...{ steps, servers: [...servers, ...unnamed] },
    ...(tiers.length > 0 && { tiers: tiers.map((tier) => tier.trace) }),
  };
}

/** A service that is none of HAProxy's: nothing is wanted of it, nothing stands in its way, and nothing is there. */
function isLeftAlone(sources: TraceSources, sections: ServiceSections | undefined): boolean {
  const { desired, issues, service, seen } = sources;
  return (
    desired !== undefined &&
    sections === undefined &&
    heldReason(sources, undefined) === undefined &&
    !issues.some((issue) => issue.service === service) &&
    seen.every((each) => 'problem' in each || each.servers === undefined)
  );
}

function unusable(instance: Instance, reason: string): ServerTrace {
  const step: TraceStep = { step: 'desired', ok: false, detail: `left out of haproxy.cfg: ${reason}` };
  const server = `${instance.host}:${instance.port}`;
  return { server, instance, state: 'unusable', takesTraffic: false, steps: [step] };
}

function desiredStep(
  { service, issues, timeline, desired }: TraceSources,
  wanted: ServiceSections | undefined,
): TraceStep {
  const own = issues.filter((issue) => issue.service === service && issue.instance === undefined);
  const said = own.map(({ reason }) => reason).join('; ');
  if (wanted === undefined) {
    if (desired === undefined) return { step: 'desired', ok: false, detail: 'no pass was made yet' };
    return { step: 'desired', ok: false, detail: said || 'it has no section (disabled?)' };
  }
  const { servers, name } = wanted.backend;
  const remembered = servers.filter(({ disabled }) => disabled).length;
  const note = remembered > 0 ? `, ${remembered} remembered` : '';
  const entry = wanted.frontend === undefined ? 'no frontend' : wanted.frontend.title;
  const detail = `${entry}, backend ${name}: ${servers.length - remembered} servers${note}`;
  return {
    ...{ step: 'desired', ok: own.every(({ severity }) => severity !== 'error') },
    ...timed(timeline.desired.service(service)),
    detail: said === '' ? detail : `${detail}; ${said}`,
  };
}

function heldReason({ service, held }: TraceSources, server: string | undefined): string | undefined {
  const found = held.find(({ culprit }) =>
    server === undefined
      ? 'service' in culprit && culprit.service === service && culprit.kind !== 'server'
      : culprit.kind === 'server' && culprit.service === service && culprit.server === server,
  );
  if (found === undefined) return undefined;
  const instead = found.kept === 'last-good' ? 'its last good form stands in' : 'left out';
  return `quarantined, ${instead}: ${found.reason}`;
}

function loadedStep(sources: TraceSources, written: ServiceSections | undefined): TraceStep {
  const { file, timeline, service } = sources;
  const held = heldReason(sources, undefined);
  const problem = held ?? file.problem;
  const at = timed(written && (timeline.file.service(service) ?? file.written?.at));
  if (problem !== undefined) return { step: 'loaded', ok: false, ...at, detail: problem };
  if (written === undefined) return { step: 'loaded', ok: false, detail: `not in ${file.path}` };
  const last = file.written === undefined ? '' : `, written ${new Date(file.written.at).toISOString()}`;
  return { step: 'loaded', ok: true, ...at, detail: `in ${file.path}${last}` };
}

/** Why only a reload can bring what the service lacks, if one is due. */
function waitsFor({ reasons, service }: TraceSources): string | undefined {
  const own = reasons.filter((reason) => reason.service === undefined || reason.service === service);
  if (own.length === 0) return undefined;
  return `waits for a reload: ${own.map(({ detail }) => detail).join('; ')}`;
}

function runningSteps(sources: TraceSources, wanted: ServiceSections | undefined): readonly TraceStep[] {
  const { backend } = sources;
  const waits = waitsFor(sources);
  if (sources.seen.length === 0)
    return [
      { step: 'running', ok: true, detail: 'not asked: synapse uses no socket of HAProxy (do_socket)' },
    ];
  return sources.seen.map((seen): TraceStep => {
    if ('problem' in seen)
      return { step: 'running', ok: false, detail: `no answer on ${seen.socket}: ${seen.problem}` };
    const { pid, servers } = seen;
    if (servers === undefined) {
      const detail = `pid ${pid} has no backend ${backend}${waits === undefined ? '' : `: it ${waits}`}`;
      return { step: 'running', ok: wanted === undefined, detail };
    }
    const up = servers.filter(isUp).length;
    const detail = `pid ${pid}, backend ${backend}: ${up} of ${servers.length} servers take traffic`;
    return { step: 'running', ok: up > 0, detail: waits === undefined ? detail : `${detail}; ${waits}` };
  });
}

interface One extends TraceSources {
  readonly name: string;
  readonly instance: Instance | undefined;
  readonly wanted: ServiceSections | undefined;
  readonly written: ServiceSections | undefined;
  readonly tiers: readonly Tier[];
}

function serverTrace(one: One): ServerTrace {
  const { name, instance, seen, tiers } = one;
  const find = (sections: ServiceSections | undefined): Server | undefined =>
    sections?.backend.servers.find((server) => server.name === name);
  const [wanted, written] = [find(one.wanted), find(one.written)];
  const found = seen.flatMap((each) =>
    'servers' in each ? (each.servers ?? []).filter((server) => server.name === name) : [],
  );
  const first = found[0];
  const near = membershipOf(name, instance, tiers, one.location);
  const steps = [
    serverDesired(one, wanted),
    serverLoaded(one, wanted, written),
    ...(seen.length === 0 ? [] : [serverRunning(one, wanted, found)]),
    ...(wanted === undefined ? [] : near.steps),
  ];
  const takesTraffic = found.length > 0 && [...found, ...near.active].every(isUp);
  const address = first?.address ?? (wanted && hostPort(wanted.address, wanted.port));
  return {
    server: name,
    ...(instance && { instance }),
    ...(address !== undefined && { address }),
    state: first?.status ?? (wanted === undefined ? 'absent' : seen.length === 0 ? 'unknown' : 'missing'),
    ...(first?.weight !== undefined && { weight: first.weight }),
    takesTraffic,
    ...(near.tier !== undefined && { tier: near.tier }),
    ...(near.standsBy && takesTraffic && { standsBy: true }),
    ...noteOf(one),
    steps,
  };
}

/** Why its weight is what it is, where that is not its own. */
function noteOf({ steered, name }: One): { note?: string } {
  const steering = steered?.(name);
  if (steering === undefined) return {};
  const percent = (steering.factor * 100).toFixed(steering.factor < 0.1 ? 1 : 0);
  return { note: `${percent} % of its weight by latency: ${steering.reason}` };
}

function serverDesired(one: One, wanted: Server | undefined): TraceStep {
  const { service, name, instance, issues, timeline } = one;
  const at = timed(wanted && timeline.desired.server(service, name));
  if (wanted?.disabled === true)
    return { step: 'desired', ok: false, ...at, detail: 'only remembered (state_file_ttl): disabled' };
  if (wanted !== undefined) return { step: 'desired', ok: true, ...at, detail: renderServer(wanted) };
  const label = instance && `${instance.host}:${instance.port}`;
  const told = issues.find(
    (issue) => issue.service === service && label !== undefined && issue.instance?.endsWith(label),
  );
  if (told !== undefined) return { step: 'desired', ok: false, detail: `left out: ${told.reason}` };
  const detail = instance?.held
    ? 'left out: its source lost it, and HAProxy does not check it'
    : 'not among the servers that are wanted';
  return { step: 'desired', ok: false, detail };
}

function serverLoaded(one: One, wanted: Server | undefined, written: Server | undefined): TraceStep {
  const { service, name, file, timeline } = one;
  const held = heldReason(one, name) ?? (written === undefined ? heldReason(one, undefined) : undefined);
  const at = timed(written && timeline.file.server(service, name));
  if (held !== undefined) return { step: 'loaded', ok: false, ...at, detail: held };
  if (written === undefined) {
    const detail = wanted === undefined ? `not in ${file.path}` : `not yet in ${file.path}`;
    return {
      step: 'loaded',
      ok: false,
      detail: file.problem === undefined ? detail : `${detail}: ${file.problem}`,
    };
  }
  const note = written.disabled ? ', disabled' : '';
  return { step: 'loaded', ok: !written.disabled, ...at, detail: `in ${file.path}${note}` };
}

function serverRunning(one: One, wanted: Server | undefined, found: readonly SeenServer[]): TraceStep {
  const { backend, name, timeline, seen, now } = one;
  const silent = seen.find((each) => 'problem' in each);
  const [first] = found;
  if (first === undefined) {
    if (silent !== undefined) return { step: 'running', ok: false, detail: `no answer on ${silent.socket}` };
    const gone = timeline.goneSince(backend, name);
    const waits = wanted === undefined ? undefined : waitsFor(one);
    const detail =
      waits ?? (gone === undefined ? 'not in the running HAProxy' : 'gone from the running HAProxy');
    return { step: 'running', ok: false, ...timed(gone), detail };
  }
  const since = first.seconds === undefined ? undefined : now - first.seconds * 1000;
  const at = timed(since ?? timeline.running(backend, name));
  const said = [
    first.status,
    ...(first.weight === undefined ? [] : [`weight ${first.weight}`]),
    ...(first.check === undefined ? [] : [`last check ${first.check}`]),
  ].join(', ');
  const { note } = noteOf(one);
  const steered = note === undefined ? '' : `, ${note}`;
  const lingers = wanted === undefined && !isUp(first) ? '; connections still hold it' : '';
  return { step: 'running', ok: found.every(isUp), ...at, detail: `${said}${steered}${lingers}` };
}
