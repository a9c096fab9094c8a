import type { Clock } from '@smartstack/agent';
import type { AppliedCommand } from './apply.js';
import type { BeliefStore } from '../loaded/beliefStore.js';
import { loadedBy, type ProcessIdentity, type WorkerStart } from '../loaded/beliefs.js';
import { capabilitiesOf } from '../plan/capabilities.js';
import type { ConfigKeeper } from '../file/configKeeper.js';
import { byName } from '../desired/byName.js';
import { advanceLoaded } from '../loaded/loaded.js';
import { withIntended } from '../loaded/loadedState.js';
import { foreignIds } from '../loaded/strangers.js';
import { planChanges } from '../plan/plan.js';
import type { HaproxyProcess } from '../process/process.js';
import type { OpenedSession } from './runtimeClient.js';
import { RuntimeApiError } from './runtimeError.js';
import type { Observation, Probes, RuntimeTarget } from './runtimeTarget.js';
import type {
  DesiredState,
  ObservedState,
  Plan,
  ReloadReason,
  RuntimeCommand,
  Server,
  SteeredWeights,
} from '../types.js';

/** After a reload the old worker stops listening within milliseconds; until then it may accept a connection. */
const retiredMs = 10;
const retiredAttempts = 100;

/** What bringing one process in step came to. */
export interface PassResult {
  readonly socket: string;
  /** When the look at it began: monotonic clock in milliseconds. */
  readonly at: number;
  readonly plan: Plan;
  readonly applied: readonly AppliedCommand[];
  /** The worker that was talked to; undefined when nobody listens. */
  readonly process: ProcessIdentity | undefined;
  /** What that worker loaded is not known, or nobody listens: only a reload makes it ours. */
  readonly isUnknown: boolean;
}

/** What a pass needs besides the target. */
export interface PassContext {
  readonly clock: Clock;
  readonly beliefs: BeliefStore;
  readonly keeper: Pick<ConfigKeeper, 'diskHash'>;
  readonly process: Pick<HaproxyProcess, 'hasLoadedFile'>;
  readonly signal: AbortSignal;
  /** Wall clock in milliseconds. */
  readonly now: number;
  /** Nothing is wanted that was not wanted before: the time to look at everything, where that is due. */
  readonly isAudit: boolean;
  /** True for a process that another socket led to already: one is brought in step once. */
  readonly isKnown: (process: ProcessIdentity) => boolean;
  /** Weights that are not the servers' own, for a process that loaded this and runs that. */
  readonly steering?: { weights(loaded: DesiredState, observed: ObservedState): SteeredWeights };
}

/** The servers that commands add, by backend. */
function additions(commands: readonly RuntimeCommand[]): ReadonlyMap<string, ReadonlySet<string>> {
  const added = new Map<string, Set<string>>();
  for (const { kind, backend, server } of commands) {
    if (kind === 'add-server') added.set(backend, (added.get(backend) ?? new Set()).add(server));
  }
  return added;
}

/** Servers that are added, with the services they belong to. */
function intendedServers(
  added: ReadonlyMap<string, ReadonlySet<string>>,
  desired: DesiredState,
): readonly { service: string; server: Server }[] {
  if (added.size === 0) return [];
  return desired.services.flatMap(({ service, backend }) => {
    return [...(added.get(backend.name) ?? [])].flatMap((name) => {
      const server = byName(backend.servers).get(name);
      return server === undefined ? [] : [{ service, server }];
    });
  });
}

function unreachable(socket: string, at: number, error: RuntimeApiError): PassResult {
  const detail = `nobody answers on ${socket}: ${error.message}`;
  const plan: Plan = { commands: [], reload: [{ kind: 'process-not-ours', detail }] };
  return { socket, at, plan, applied: [], process: undefined, isUnknown: true };
}

/**
 * Brings the servers of one running HAProxy to `desired`: observe, plan, apply, read back. What commands cannot
 * do comes back as reload reasons. Throws RuntimeApiError when the process is alive but cannot be talked to.
 */
export async function bringInStep(
  target: RuntimeTarget,
  desired: DesiredState,
  context: PassContext,
  attempts = retiredAttempts,
): Promise<PassResult> {
  if (target.isSilent) throw new RuntimeApiError('runtime-timeout', `${target.socketPath} stays silent`);
  const at = context.clock.monotonic();
  let opened: OpenedSession;
  let early: Prepared | undefined;
  try {
    const opening = target.open(context.signal);
    early = prepareEarly(target, desired, context);
    opened = await opening;
  } catch (error) {
    // Nothing was sent: what was about to be added is not there.
    if (early !== undefined)
      context.beliefs.setRunning(target.socketPath, early.observation.identity, early.loaded);
    if (!(error instanceof RuntimeApiError) || context.signal.aborted) throw error;
    target.invalidate();
    if (error.code === 'runtime-timeout') target.markSilent();
    // One that is silent may be stopped or busy: asking it to reload would only queue up.
    if (error.code === 'runtime-timeout' || error.code === 'runtime-protocol') throw error;
    return unreachable(target.socketPath, at, error);
  }
  try {
    return { at, ...(await actOn(target, opened, early, desired, context)) };
  } catch (error) {
    target.invalidate();
    if (error instanceof RuntimeApiError && error.code === 'runtime-timeout') target.markSilent();
    if (!(error instanceof RuntimeApiError) || error.code !== 'runtime-retired' || attempts <= 1) throw error;
  } finally {
    opened.session.close();
  }
  await context.clock.sleep(retiredMs, context.signal);
  return bringInStep(target, desired, context, attempts - 1);
}

/** A plan, with what has to precede its commands under way. */
interface Prepared {
  readonly observation: Observation;
  readonly loaded: DesiredState;
  readonly plan: Plan;
  /** Resolves when it is noted which servers are about to be added. */
  readonly noted: Promise<void>;
  readonly probes: Probes;
}

function prepare(
  target: RuntimeTarget,
  observation: Observation,
  loaded: DesiredState,
  desired: DesiredState,
  { beliefs, signal, steering }: PassContext,
): Prepared {
  const { socketPath: socket } = target;
  const { identity: process, state } = observation;
  const capabilities = capabilitiesOf(state.process.version);
  const weights = steering?.weights(loaded, state);
  const plan = planChanges(desired, loaded, state, capabilities, weights, target.plans);
  const added = additions(plan.commands);
  if (plan.commands.length > 0) beliefs.setRunning(socket, process, withIntended(loaded, desired, added));
  const noted = beliefs.intend(socket, process, intendedServers(added, desired));
  return { observation, loaded, plan, noted, probes: target.probe(plan.commands, signal) };
}

/** For the process that is most likely the one which answers, while it does; undefined where nothing is known of one. */
function prepareEarly(
  target: RuntimeTarget,
  desired: DesiredState,
  context: PassContext,
): Prepared | undefined {
  const observation = target.expected(context.isAudit);
  if (observation === undefined || context.isKnown(observation.identity)) return undefined;
  const loaded = context.beliefs.running(target.socketPath, observation.identity);
  return loaded && prepare(target, observation, loaded, desired, context);
}

async function actOn(
  target: RuntimeTarget,
  opened: OpenedSession,
  early: Prepared | undefined,
  desired: DesiredState,
  context: PassContext,
): Promise<Omit<PassResult, 'at'>> {
  const { beliefs, now, signal, isKnown, isAudit } = context;
  const { socketPath: socket } = target;
  const observation = await target.observe(opened, isAudit);
  const { identity: process, state } = observation;
  if (isKnown(process))
    return { socket, plan: { commands: [], reload: [] }, applied: [], process, isUnknown: false };
  const { version, uptimeSeconds } = state.process;
  let prepared = early?.observation === observation ? early : undefined;
  if (prepared === undefined) {
    const start = { startedAt: process.startedAt, uptimeSeconds, now };
    const known = beliefs.running(socket, process) ?? (await loadedFromDisk(target, process, start, context));
    if (known === undefined) {
      const plan = planChanges(desired, known, state, capabilitiesOf(version));
      return { socket, plan, applied: [], process, isUnknown: true };
    }
    // Remembers who it is, the first time.
    beliefs.setRunning(socket, process, known);
    prepared = prepare(target, observation, known, desired, context);
  }
  const { plan, loaded, noted, probes } = prepared;
  await noted;
  if (plan.commands.length === 0) {
    target.nothingToDo();
    return { socket, plan, applied: [], process, isUnknown: false };
  }
  const applied = await target.apply(opened.session, plan.commands, probes, signal);
  const isDone = plan.reload.length === 0 && applied.every(({ outcome }) => outcome.result === 'done');
  if (isDone) beliefs.setRunning(socket, process, desired);
  else {
    // One that lingers was not replaced: it is the old one for certain.
    const failed = applied.flatMap(({ command, outcome }) => (outcome.result === 'failed' ? [command] : []));
    const known = withIntended(loaded, desired, additions(failed));
    beliefs.setRunning(socket, process, advanceLoaded(known, desired, applied));
  }
  return { socket, plan, applied, process, isUnknown: false };
}

/**
 * Where all of `desired` was made to run, looks at what that left behind: the next change need then only look at what it
 * changes itself. For when nobody waits any more.
 */
export function lookAhead(
  target: RuntimeTarget,
  desired: DesiredState,
  { beliefs, steering }: Pick<PassContext, 'beliefs' | 'steering'>,
): void {
  const seen = target.observation;
  if (seen === undefined || beliefs.running(target.socketPath, seen.identity) !== desired) return;
  const { state } = seen;
  const weights = steering?.weights(desired, state);
  planChanges(desired, desired, state, capabilitiesOf(state.process.version), weights, target.plans);
  foreignIds([{ state, loaded: desired }]);
}

/** What a worker has loaded of which nobody has noted it: told by the times, or by whoever made it load the file. */
export async function loadedFromDisk(
  target: RuntimeTarget,
  worker: ProcessIdentity,
  start: WorkerStart,
  context: Pick<PassContext, 'beliefs' | 'keeper' | 'process' | 'signal'>,
): Promise<DesiredState | undefined> {
  const { beliefs, keeper, process, signal } = context;
  const { written } = beliefs;
  const hash = await keeper.diskHash();
  const told = loadedBy(start, written, hash);
  if (told !== undefined || written === undefined || written.sha256 !== hash) return told;
  if (target.cameOfReload(worker, written)) return written.desired;
  return (await process.hasLoadedFile?.(worker.pid, signal)) ? written.desired : undefined;
}

/** All reasons of all processes, each once. */
export function mergedReasons(results: readonly PassResult[]): readonly ReloadReason[] {
  const reasons = new Map<string, ReloadReason>();
  for (const { plan } of results) {
    for (const reason of plan.reload) reasons.set(`${reason.kind} ${reason.detail}`, reason);
  }
  return [...reasons.values()];
}
