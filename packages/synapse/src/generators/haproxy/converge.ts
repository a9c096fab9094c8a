import { AgentError, Backoff, describeError } from '@smartstack/agent';
import type { ReconcileOutcome } from '../../catalog/types.js';
import { summaryOf } from './runtime/apply.js';
import { Failures } from './failures.js';
import { hashOf } from './file/fileHash.js';
import { type ProcessIdentity, sameProcess } from './loaded/beliefs.js';
import { capabilitiesOf } from './plan/capabilities.js';
import type { Kept } from './file/keeping.js';
import { FileFollower } from './file/fileFollower.js';
import { isSameState } from './desired/sameState.js';
import type { Desire } from './desire.js';
import { planChanges } from './plan/plan.js';
import { structureOf } from './plan/planStructure.js';
import { DeafSockets, deafMs } from './process/deafSockets.js';
import { boundPorts, isLost, isNobody, runningState, tookAll } from './process/known.js';
import { reload } from './process/reload.js';
import { ReloadError } from './process/reloadError.js';
import { type Started, startAtOnce } from './process/startAtOnce.js';
import { Unloadable } from './process/unloadable.js';
import { render } from './desired/render.js';
import { bringInStep, lookAhead, mergedReasons, type PassResult } from './runtime/runtimePass.js';
import type { HaproxyConfig } from './block/schema.js';
import type { DesiredState, ReloadReason } from './types.js';
import type { Wiring, WiringContext } from './wiring.js';

/** After a reload everything is looked at once more; what is still open then waits for the next pass. */
const maxRounds = 4;
const lingeringMs = 500;
/** After a change, how long until everything is looked at anew where that is due. */
const auditMs = 100;
/** A look at all servers costs HAProxy much of the time in which it is to begin to serve. What runs was just written. */
const afterStartMs = 1_000;

/** What the last pass found, for the status. */
export interface ConvergeReport {
  readonly results: readonly PassResult[];
  readonly reasons: readonly ReloadReason[];
  /** Why the file could not be kept in step; undefined when it is, or is about to be. */
  readonly fileProblem: string | undefined;
}

/**
 * One pass after another from what is wanted to what runs. Servers come first, through running processes; the
 * file follows, checked, in the background unless a reload waits for it. See README.md for why in this order.
 */
export class Converger {
  readonly #wiring: Wiring;
  readonly #context: WiringContext;
  readonly #failures = new Failures();
  readonly #deaf: DeafSockets;
  readonly #retry: Backoff;
  #results: readonly PassResult[] = [];
  #reasons: readonly ReloadReason[] = [];
  /** What the last pass wanted of running processes. */
  #wanted: DesiredState | undefined;
  readonly #unloadable: Unloadable;
  readonly #file: FileFollower;
  /** What was loaded last where no socket can tell (`do_socket: false`). */
  #blindLoaded: DesiredState | undefined;

  constructor(wiring: Wiring, context: WiringContext, wake: () => void) {
    this.#wiring = wiring;
    this.#context = context;
    this.#file = new FileFollower({
      ...{ clock: context.clock, logger: context.logger, wake },
      ...{ keeper: wiring.keeper, beliefs: wiring.beliefs, ownStart: wiring.ownStart },
      boundPorts: () => boundPorts(this.#results, wiring.beliefs),
    });
    this.#deaf = new DeafSockets(context.clock);
    this.#unloadable = new Unloadable(context.clock, context.random);
    this.#retry = new Backoff({ minMs: 100, maxMs: 10_000, random: context.random });
  }

  get report(): ConvergeReport {
    return { results: this.#results, reasons: this.#reasons, fileProblem: this.#file.problem };
  }

  /** Resolves when no file is being checked or written any more. */
  idle(): Promise<void> {
    return this.#file.idle();
  }

  /** One pass. Throws AgentError when HAProxy or the file system could not be brought to follow; the loop backs off. */
  async converge(wanted: Desire, config: HaproxyConfig, signal: AbortSignal): Promise<ReconcileOutcome> {
    const { keeper } = this.#wiring;
    keeper.retryAddresses();
    let outcome: ReconcileOutcome['outcome'] = 'noop';
    for (let round = 0; round < maxRounds; round += 1) {
      const { revision } = keeper.quarantine;
      const desired = keeper.quarantine.clear(wanted.desired, keeper.written?.desired, wanted.shared);
      await this.#bringAllInStep(desired, wanted, signal);
      const hasChanged = this.#results.some(({ applied }) => applied.length > 0);
      if (hasChanged && outcome === 'noop') outcome = 'runtime';
      if (this.#reasons.length === 0) return this.#finish(wanted, outcome, signal);
      const before = keeper.written?.desired;
      const retryMs = this.#unloadable.waitMs(wanted.desired);
      if (retryMs > 0 && (!isLost(this.#results) || before === undefined)) {
        const running = this.#runningState();
        if (running !== undefined) this.#file.followSoon({ ...wanted, desired: running, isStandIn: true });
        return { outcome: 'waiting', againInMs: retryMs };
      }
      // What could not be loaded waits; what the file holds instead makes a process known of which nobody is sure.
      const wish =
        retryMs > 0 && before !== undefined ? { ...wanted, desired: before, isStandIn: true } : wanted;
      const start = { reasons: this.#reasons, wish, signal };
      const started =
        config.doReloads && (await startAtOnce(this.#wiring, this.#context, this.#results, start));
      // Started meanwhile: what runs is another matter now. Or it is silent on a socket that it does not know yet.
      if (started === 'running' && round === 0) continue;
      if (typeof started === 'object') {
        await this.#noteLoaded(started);
        return { outcome: 'start', againInMs: afterStartMs };
      }
      const kept = await this.#file.follow(wish, signal);
      // Something was held back: look again before anything is reloaded.
      if (keeper.quarantine.revision !== revision) continue;
      if (kept.accepted === undefined) {
        const why = 'haproxy rejects the whole configuration, and there is no older one';
        throw new AgentError('config-rejected', why, { retriable: true });
      }
      const waitMs = this.#waitBeforeReload(kept, config);
      if (waitMs > 0) {
        const again = waitMs === Infinity ? this.#againInMs() : waitMs;
        return {
          outcome: waitMs === Infinity ? outcome : 'waiting',
          ...(again !== undefined && { againInMs: again }),
        };
      }
      outcome = (await this.#reload(kept, wish, before, signal)) ?? outcome;
    }
    return { outcome, againInMs: this.#retry.next() };
  }

  /** Servers first: what running processes take must not wait for the check of a file. */
  async #bringAllInStep(desired: DesiredState, wanted: Desire, signal: AbortSignal): Promise<void> {
    const { targets, keeper, beliefs, process, steering } = this.#wiring;
    const { clock, metrics, logger } = this.#context;
    const isAudit = isSameState(desired, this.#wanted);
    this.#wanted = desired;
    const results: PassResult[] = [];
    const failures: unknown[] = [];
    const isKnown = (worker: ProcessIdentity): boolean =>
      results.some((each) => each.process !== undefined && sameProcess(each.process, worker));
    const context = { clock, keeper, beliefs, process, signal, now: clock.now(), isKnown, isAudit, steering };
    // One after the other: several sockets may lead to one process. One that is silent holds up no other.
    for (const target of targets) {
      await bringInStep(target, desired, context).then(
        (result) => results.push(result),
        (error: unknown) => failures.push(error),
      );
    }
    for (const target of targets) lookAhead(target, desired, context);
    this.#results = results;
    for (const { applied, socket } of this.#results) {
      if (applied.length === 0) continue;
      metrics.applied(applied);
      logger.info('servers changed at run time', { socket, ...summaryOf(applied) });
    }
    metrics.observed(
      targets.flatMap(({ observation }) => (observation === undefined ? [] : [observation.state])),
      desired.services,
    );
    if (failures.length > 0) {
      // HAProxy cannot be talked to now, but should it restart by itself, the file is to be right.
      if (!this.#unloadable.exists) this.#file.followSoon(wanted);
      throw failures[0];
    }
    const applied = this.#results.flatMap((result) => result.applied);
    this.#reasons = [...this.#openReasons(desired), ...this.#failures.note(applied, clock.monotonic())];
  }

  #openReasons(desired: DesiredState): readonly ReloadReason[] {
    if (this.#wiring.targets.length === 0) {
      return planChanges(desired, this.#blindLoaded, undefined, capabilitiesOf('')).reload;
    }
    return mergedReasons(this.#deaf.audible(this.#results));
  }

  /** Milliseconds until a reload may happen; Infinity when none is to happen for these reasons. */
  #waitBeforeReload(kept: Kept, config: HaproxyConfig): number {
    if (!config.doReloads || kept.accepted === undefined) return Infinity;
    // The file on disk is the old one: loading it again changes nothing for a process that runs it already.
    const isBlind = this.#wiring.targets.length === 0;
    const isUnknown = isBlind
      ? this.#blindLoaded === undefined
      : this.#results.some((result) => result.isUnknown);
    if (!kept.current && !isUnknown) return Infinity;
    return this.#wiring.gate.waitMs(this.#reasons, hashOf(render(kept.accepted)));
  }

  /** Undefined when HAProxy refused for the sake of something that can be held back, and now is. */
  async #reload(
    { accepted }: Kept,
    wanted: Desire,
    before: DesiredState | undefined,
    signal: AbortSignal,
  ): Promise<'reload' | 'start' | undefined> {
    if (accepted === undefined) throw new AgentError('config-rejected', 'there is no configuration to load');
    const { logger, metrics, clock } = this.#context;
    const { keeper, gate } = this.#wiring;
    const reasons = this.#reasons;
    gate.attempted(reasons, hashOf(render(accepted)));
    const startedAt = clock.monotonic();
    let how: 'reloaded' | 'started';
    let silent: readonly string[];
    try {
      const done = await reload(this.#wiring, this.#context, this.#results, accepted, signal);
      how = done.how;
      silent = done.silent;
    } catch (error) {
      // That we are to stop says nothing of the file, which may run by now; who is silent is waited for by the loop.
      if (signal.aborted || (error instanceof ReloadError && error.isSilent)) throw error;
      const problem = describeError(error);
      if (error instanceof ReloadError && error.action === 'start') {
        logger.error('haproxy could not be started', { problem });
      } else {
        metrics.reloaded(reasons, 'failure');
        logger.error('haproxy could not be reloaded', { reasons, problem });
      }
      const messages = error instanceof ReloadError ? error.messages : [];
      if (keeper.reject(messages, accepted, wanted.desired, wanted.shared)) return undefined;
      await this.#noteUnloadable(wanted, before);
      throw error;
    }
    await this.#noteLoaded({ accepted, silent });
    // A start has a line and a metric of its own, where it happens.
    if (how === 'reloaded') {
      metrics.reloaded(reasons, 'success');
      logger.info('haproxy reloaded', { reasons, ms: Math.round(clock.monotonic() - startedAt) });
    }
    return how === 'reloaded' ? 'reload' : 'start';
  }

  async #noteLoaded({ accepted, silent }: Started): Promise<void> {
    for (const socket of silent) {
      this.#context.logger.error('haproxy was reloaded but does not answer on its admin socket', { socket });
      this.#deaf.note(socket);
    }
    this.#blindLoaded = accepted;
    this.#failures.clear();
    await this.#wiring.beliefs.save();
    await this.#wiring.keeper.keepLastGood();
  }

  async #finish(
    wanted: Desire,
    outcome: ReconcileOutcome['outcome'],
    signal: AbortSignal,
  ): Promise<ReconcileOutcome> {
    this.#unloadable.clear();
    // A file that could not be kept is tried again here, where a failure makes the loop back off.
    const isRunning = tookAll(this.#results);
    if (this.#file.problem === undefined) this.#file.followSoon({ ...wanted, isRunning });
    else await this.#file.follow(wanted, signal);
    const againInMs = this.#againInMs();
    return { outcome, ...(againInMs !== undefined && { againInMs }) };
  }

  /**
   * What HAProxy could not load must not be what it finds when it restarts: that would be the end of every route. So
   * the file holds the sections that run, with the servers of now, or what it held before where nobody knows what
   * runs, until the others are tried again or changed.
   */
  async #noteUnloadable({ desired, shared }: Desire, before: DesiredState | undefined): Promise<void> {
    const running = this.#runningState();
    if (running === undefined && (await this.#putBackOperators(desired))) return;
    const instead = running ?? (isLost(this.#results) ? before : undefined);
    // Where nobody runs, it need not be the file's fault; and nothing is gained by the same sections.
    if (instead === undefined || (running === undefined && structureOf(instead) === structureOf(desired)))
      return;
    this.#unloadable.note(desired);
    await this.#file.follow({ desired: instead, shared, isStandIn: true }).catch(() => undefined);
  }

  /** Before anything of ours was loaded, only the file from before ours is known to work. */
  async #putBackOperators(desired: DesiredState): Promise<boolean> {
    const { keeper, process } = this.#wiring;
    // Ours is never started on a file of others.
    if (process.startWith !== undefined || !(await keeper.putBackOperators().catch(() => false)))
      return false;
    // One that is not there is no fault of the file, which is to be tried as soon as somebody is.
    if (!isNobody(this.#results)) this.#unloadable.note(desired);
    return true;
  }

  #runningState(): DesiredState | undefined {
    if (this.#wiring.targets.length === 0) return this.#blindLoaded;
    return runningState(this.#results, this.#wiring.beliefs);
  }

  /** When to look again without an event; undefined when nothing is open. */
  #againInMs(): number | undefined {
    if (this.#failures.size > 0) return this.#retry.next();
    this.#retry.reset();
    const isLingering = this.#wiring.targets.some(({ lingering }) => lingering.length > 0);
    if (isLingering) return lingeringMs;
    if (this.#wiring.targets.some(({ isOverdue }) => isOverdue)) return auditMs;
    return this.#deaf.exist ? deafMs : undefined;
  }
}
