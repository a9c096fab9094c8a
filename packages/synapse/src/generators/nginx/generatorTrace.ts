import type { Instance } from '@smartstack/registry';
import type { GeneratorTrace, ServerTrace, TraceStep, TraceSubject } from '../../catalog/types.js';
import { hostPort, serverAddress, serverName } from '../names.js';
import { Presence } from '../presence.js';
import { step } from '../traceSteps.js';
import type { NginxConfig } from './blocks.js';
import type { Desired } from './desired.js';
import type { QuarantineEntry } from './file/quarantine.js';
import type { Line, Section } from './sections.js';

/** Since when servers are wanted, in the file, and loaded. A server is its address: the file knows no more of it. */
export class NginxTimeline {
  readonly desired = new Presence();
  readonly file = new Presence();
  readonly running = new Presence();

  /** Takes all sections of one kind, which are so at `at` (wall clock milliseconds). */
  note(kind: 'desired' | 'file' | 'running', sections: Iterable<Section>, at: number): void {
    const services = new Set<string>();
    for (const { service, lines } of sections) {
      services.add(service);
      this[kind].note(
        service,
        lines.flatMap(({ server }) => server?.address ?? []),
        at,
      );
    }
    this[kind].keepOnly(services);
  }
}

/** What a trace is made of. */
interface TraceState {
  readonly config: NginxConfig;
  readonly desired: Desired | undefined;
  readonly old: ReadonlyMap<string, Section>;
  readonly loaded: ReadonlyMap<string, Section>;
  readonly held: readonly QuarantineEntry[];
  readonly addresses: ReadonlyMap<string, string>;
  readonly isGone: boolean;
  readonly contextsProblem: string | undefined;
  readonly timeline: NginxTimeline;
}

interface Own extends TraceState {
  readonly service: string;
  readonly section: Section | undefined;
  /** Why there is none. */
  readonly lack: string | undefined;
  readonly hold: QuarantineEntry | undefined;
}

/** A service and its servers, from what is wanted to what nginx runs. Pure. */
export function traceOf({ service, instances }: TraceSubject, state: TraceState): GeneratorTrace {
  const { desired, old, loaded, held } = state;
  if (desired === undefined) return { steps: [step('desired', false, 'no pass was made yet')], servers: [] };
  const section = desired.sections.find((each) => each.service === service);
  const issues = desired.issues.filter((one) => one.service === service && one.instance === undefined);
  const said = issues.map(({ reason }) => reason).join('; ');
  const isKept = desired.kept.includes(service);
  if (section === undefined && said === '' && !isKept)
    return { steps: [step('desired', true, 'disabled: it is not in nginx.conf')], servers: [] };
  const lack = section !== undefined ? undefined : said || 'nothing is known of it yet: its lines stay';
  const hold = held.find((one) => one.service === service);
  const own: Own = { ...state, service, section, lack, hold };
  const steps = [desiredStep(own), loadedStep(own), ...runningStep(own)];
  const servers = instances.map((instance) => serverOf(instance, own));
  const known = new Set(servers.map(({ address }) => address));
  const others = [...new Set([section, old.get(service), loaded.get(service)].flatMap(addressesOf))];
  return {
    steps,
    servers: [
      ...servers,
      ...others.filter((address) => !known.has(address)).map((address) => lineTrace(address, address, own)),
    ],
  };
}

function addressesOf(section: Section | undefined): readonly string[] {
  return (section?.lines ?? []).flatMap(({ server }) => server?.address ?? []);
}

function lineOf(section: Section | undefined, address: string): Line | undefined {
  return section?.lines.find(({ server }) => server?.address === address);
}

function desiredStep({ service, section, lack, timeline }: Own): TraceStep {
  if (section === undefined) return step('desired', false, lack ?? '');
  const detail = `${section.context}, ${addressesOf(section).length} servers`;
  return step('desired', true, detail, timeline.desired.service(service));
}

function heldNote({ hold }: Own): string | undefined {
  if (hold === undefined) return undefined;
  const instead = hold.kept === 'last-good' ? 'its last good lines stand in' : 'left out';
  return `quarantined, ${instead}: ${hold.reason}`;
}

function loadedStep(own: Own): TraceStep {
  const { service, old, config, contextsProblem, timeline } = own;
  const file = config.configFilePath;
  const at = timeline.file.service(service);
  const problem = config.doWrites ? (heldNote(own) ?? contextsProblem) : 'do_writes is false';
  if (problem !== undefined) return step('loaded', false, problem, at);
  return old.has(service) ? step('loaded', true, `in ${file}`, at) : step('loaded', false, `not in ${file}`);
}

function runningStep({ service, loaded, config, isGone, timeline }: Own): readonly TraceStep[] {
  if (!config.doReloads) return [];
  if (isGone) return [step('running', false, 'nginx does not run')];
  const section = loaded.get(service);
  if (section === undefined) return [step('running', false, 'not loaded: it waits for a reload')];
  const detail = `loaded with ${addressesOf(section).length} servers`;
  return [step('running', true, detail, timeline.running.service(service))];
}

function serverOf(instance: Instance, own: Own): ServerTrace {
  const { host, port } = instance;
  const name = serverName(instance);
  const address = serverAddress(host, own.addresses);
  const reason = 'reason' in name ? name.reason : 'reason' in address ? address.reason : undefined;
  if ('reason' in name || 'reason' in address) {
    const steps = [step('desired', false, `left out: ${reason ?? ''}`)];
    const label = 'value' in name ? name.value : `${host}:${port}`;
    return { server: label, instance, state: 'unusable', takesTraffic: undefined, steps };
  }
  return { ...lineTrace(name.value, hostPort(address.value, port), own), instance };
}

function lineTrace(server: string, address: string, own: Own): ServerTrace {
  const { service, section, lack, old, loaded, config, isGone, timeline } = own;
  const [wanted, written, taken] = [section, old.get(service), loaded.get(service)].map((each) =>
    lineOf(each, address),
  );
  const file = config.configFilePath;
  const desired =
    wanted === undefined
      ? step('desired', false, lack ?? 'not among the servers that are wanted')
      : step('desired', true, wanted.text.trim(), timeline.desired.server(service, address));
  const isWritten = step('loaded', true, `in ${file}`, timeline.file.server(service, address));
  const inFile = written === undefined ? step('loaded', false, heldNote(own) ?? `not in ${file}`) : isWritten;
  const isLoaded = step('running', true, 'loaded by nginx', timeline.running.server(service, address));
  const running = isGone
    ? step('running', false, 'nginx does not run')
    : taken === undefined
      ? step('running', false, 'not loaded: it waits for a reload')
      : taken.server?.own === 'down'
        ? { ...isLoaded, ok: false, detail: 'loaded by nginx as down: its weight is 0' }
        : isLoaded;
  const steps = [desired, inFile, ...(config.doReloads ? [running] : [])];
  const weight = /^weight=(\d+)$/.exec((taken ?? written ?? wanted)?.server?.own ?? '')?.[1];
  const [line, isDown] = [taken ?? written, !running.ok && taken !== undefined && !isGone];
  return {
    ...{ server, address },
    state: line === undefined ? 'absent' : isDown ? 'down' : 'listed',
    ...(weight !== undefined && { weight: Number(weight) }),
    takesTraffic: undefined,
    steps,
  };
}
