import { setMaxListeners } from 'node:events';
import type { Clock, Timer } from '@smartstack/agent';
import { applyCommands, type AppliedCommand, serverKey } from './apply.js';
import { type ProcessIdentity, sameProcess, type WrittenConfig } from '../loaded/beliefs.js';
import { observedState, parseServersState, sameOrNew } from '../plan/observed.js';
import { PlanMemo } from '../plan/plan.js';
import { type Running, withReplaced } from '../plan/running.js';
import type { Prober } from './probe.js';
import { type OpenedSession, RuntimeSession } from './runtimeClient.js';
import { RuntimeApiError } from './runtimeError.js';
import type { ObservedServer, ObservedState, RuntimeCommand } from '../types.js';

/** Where one HAProxy is reached. */
export interface RuntimeTargetOptions {
  readonly clock: Clock;
  readonly prober: Prober;
  /** Path of the admin socket. */
  readonly socketPath: string;
  /** Milliseconds for one answer. */
  readonly deadlineMs: number;
  /** Age in milliseconds at which the cached observation is read again although nothing suggests drift. */
  readonly observeAgainMs: number;
}

/** What a process said of itself longer ago is not taken for what it is now, in milliseconds. */
const greetingMs = 100;

function closeOnceOpen(opened: Promise<OpenedSession>): void {
  opened.then(
    ({ session }) => session.close(),
    () => undefined,
  );
}

/** A look at everything that only age asks for takes at most this share of the time: of thousands of servers it is dear. */
const lookShare = 0.002;

/** A listing of all servers of a backend keeps HAProxy from what it was just told to do: that goes first. Milliseconds. */
const readBackAfterMs = 5;

/** Longest time that a process counts as silent without being asked again. */
const silentMs = 5_000;

/** Why a new server should wait for HAProxy's checks, or undefined, by the command that adds it. */
export type Probes = ReadonlyMap<RuntimeCommand, Promise<string | undefined>>;

/** What is known of the process behind a socket. */
export interface Observation {
  readonly identity: ProcessIdentity;
  readonly state: ObservedState;
}

/**
 * One running HAProxy: observes it, with a cache that is dropped as soon as anything suggests that it is wrong,
 * and carries commands out. A session belongs to one process, so a check of its pid holds for all its commands.
 */
export class RuntimeTarget {
  readonly #options: RuntimeTargetOptions;
  /** Of the last look at it. */
  readonly plans = new PlanMemo();
  readonly #lingering = new Set<string>();
  #observation: Observation | undefined;
  #observedAt = -Infinity;
  /** How long the last looks at everything took, in milliseconds; the lesser counts, for a process does other things, too. */
  #lookMs: readonly [number, number] = [0, 0];
  #retired: ProcessIdentity | undefined;
  #reloaded: { readonly old: ProcessIdentity; readonly file: WrittenConfig } | undefined;
  #silentUntil = -Infinity;
  #greeting:
    { readonly opened: Promise<OpenedSession>; readonly at: number; readonly timer: Timer } | undefined;

  constructor(options: RuntimeTargetOptions) {
    this.#options = options;
  }

  get socketPath(): string {
    return this.#options.socketPath;
  }

  /** The last observation, for status and metrics. */
  get observation(): Observation | undefined {
    return this.#observation;
  }

  /** Servers (`backend/server`) out of rotation that connections still hold. */
  get lingering(): readonly string[] {
    return [...this.#lingering];
  }

  /** A reload replaced this worker. Until it stops listening it may still accept a connection: that one is refused. */
  retire(worker: ProcessIdentity): void {
    this.#retired = worker;
    this.#reloaded = undefined;
    this.invalidate();
  }

  /** A reload onto `file` succeeded while `old` was its worker: whoever answers in its stead has loaded that. */
  noteReload(old: ProcessIdentity, file: WrittenConfig): void {
    this.#reloaded = { old, file };
  }

  /**
   * Whether this worker came of a reload onto `file`. It is asked where nobody answered right after the reload, as when
   * all of HAProxy stood still in that moment: its times alone do not tell, for it began in the second of the file.
   */
  cameOfReload(worker: ProcessIdentity, file: WrittenConfig): boolean {
    const reloaded = this.#reloaded;
    return (
      reloaded?.file === file &&
      !sameProcess(worker, reloaded.old) &&
      worker.startedAt >= Math.floor(file.at / 1000)
    );
  }

  /** The cache may be wrong: the next look reads everything. */
  invalidate(): void {
    this.#observedAt = -Infinity;
  }

  /** A plan found nothing to do: no server waits for its removal any more. */
  nothingToDo(): void {
    this.#lingering.clear();
  }

  /** It did not answer in time, and did not since: whoever has other processes to serve does not wait for it again. */
  get isSilent(): boolean {
    return this.#options.clock.monotonic() < this.#silentUntil;
  }

  /** It did not answer in time. It counts as silent until `identify` hears from it, or for a while. */
  markSilent(): void {
    this.#silentUntil = this.#options.clock.monotonic() + silentMs;
  }

  /** As `connect`, for a pass: takes what `greet` began. */
  open(signal: AbortSignal): Promise<OpenedSession> {
    const greeting = this.#greeting;
    this.#greeting = undefined;
    if (greeting === undefined) return this.connect(signal);
    greeting.timer.cancel();
    if (this.#options.clock.monotonic() - greeting.at <= greetingMs) return greeting.opened;
    closeOnceOpen(greeting.opened);
    return this.connect(signal);
  }

  /** Begins to connect for an `open` that follows soon, unless that is under way; nothing is kept for long. */
  greet(signal: AbortSignal): void {
    if (this.isSilent || this.#greeting !== undefined) return;
    const { clock } = this.#options;
    const opened = this.connect(signal);
    const timer = clock.setTimeout(() => this.dismiss(), greetingMs);
    const greeting = { opened, at: clock.monotonic(), timer };
    this.#greeting = greeting;
    // Whoever opens finds out for himself.
    opened.catch(() => {
      if (this.#greeting === greeting) this.dismiss();
    });
  }

  /** Hangs up on a greeting that nobody took. */
  dismiss(): void {
    if (this.#greeting === undefined) return;
    this.#greeting.timer.cancel();
    closeOnceOpen(this.#greeting.opened);
    this.#greeting = undefined;
  }

  /** A connection of its own, on which `show info` was asked; the caller closes. Throws RuntimeApiError. */
  connect(signal: AbortSignal): Promise<OpenedSession> {
    const { clock, deadlineMs, socketPath } = this.#options;
    return RuntimeSession.openAsking(socketPath, 'show info', { clock, deadlineMs, signal });
  }

  /** Who answers now; throws RuntimeApiError when nobody does. */
  async identify(signal: AbortSignal): Promise<ProcessIdentity> {
    const { session, reply } = await this.connect(signal);
    session.close();
    const identity = this.#identity(reply);
    this.#silentUntil = -Infinity;
    return identity;
  }

  /** True when the cache is so old that a pass without an event should read everything anew. */
  get isOverdue(): boolean {
    const { clock } = this.#options;
    const observeAgainMs = this.#againMs;
    const age = clock.monotonic() - this.#observedAt;
    // Where nothing is ever taken from the cache, nothing is left to come back for.
    return observeAgainMs > 0 && this.#observation !== undefined && age >= observeAgainMs;
  }

  /** What `observe` answers without asking, if the process is still the same; undefined when it would ask. */
  expected(isAudit: boolean): Observation | undefined {
    const age = this.#options.clock.monotonic() - this.#observedAt;
    return age < (isAudit ? 1 : 2) * this.#againMs ? this.#observation : undefined;
  }

  get #againMs(): number {
    const { observeAgainMs } = this.#options;
    return observeAgainMs && Math.max(observeAgainMs, Math.min(...this.#lookMs) / lookShare);
  }

  /**
   * The state of the process at the other end of a session, from the cache when it is the same one and nothing
   * suggests that it is wrong. Age alone does not for another interval: reading thousands of servers would delay
   * the change that is at hand, and whoever sees `isOverdue` comes back for it.
   */
  async observe({ session, reply: info }: OpenedSession, isAudit: boolean): Promise<Observation> {
    const identity = this.#identity(info);
    const expected = this.expected(isAudit);
    if (expected?.identity.pid === identity.pid && expected.identity.startedAt === identity.startedAt)
      return expected;
    const [serversState, backends] = await Promise.all([
      session.ask('show servers state'),
      session.ask('show backend'),
    ]);
    const { clock } = this.#options;
    const startedAt = clock.monotonic();
    const state = observedState({ info, serversState, backends }, this.#observation?.state);
    this.#lookMs = [clock.monotonic() - startedAt, this.#lookMs[0]];
    if (state === undefined)
      throw new RuntimeApiError('runtime-protocol', `no HAProxy answers on ${this.socketPath}`);
    if (this.#observation?.identity.pid !== identity.pid) this.#lingering.clear();
    this.#observation = { identity, state };
    this.#observedAt = clock.monotonic();
    return this.#observation;
  }

  /** Carries commands out, and reads the backends back that they touched. Throws when the connection breaks. */
  async apply(
    session: RuntimeSession,
    commands: readonly RuntimeCommand[],
    probes: Probes,
    signal: AbortSignal,
  ): Promise<readonly AppliedCommand[]> {
    const { clock } = this.#options;
    const observedAt = this.#observedAt;
    // Until it is read back, nobody knows what a broken connection left behind.
    this.invalidate();
    const applied = await applyCommands(session, commands, {
      clock,
      signal,
      lingering: new Set(this.#lingering),
      confirm: async (command) => probes.get(command),
    });
    // A server that lingers is planned anew each time, unless it is wanted again.
    this.#lingering.clear();
    for (const { command, outcome } of applied) {
      if (outcome.result === 'lingering') this.#lingering.add(serverKey(command));
    }
    await clock.sleep(readBackAfterMs, signal);
    await this.#readBack(session, new Set(commands.map(({ backend }) => backend)));
    if (applied.every(({ outcome }) => outcome.result !== 'failed')) this.#observedAt = observedAt;
    return applied;
  }

  /** Asks new servers that HAProxy is to check whether they answer, ahead of `apply`. */
  probe(commands: readonly RuntimeCommand[], signal: AbortSignal): Probes {
    const { prober } = this.#options;
    // Each probe under way listens to it: their number is no leak.
    setMaxListeners(0, signal);
    return new Map(
      commands.flatMap((command) =>
        command.kind === 'add-server' && command.checked
          ? [[command, prober.confirm(command.address, command.port, signal)] as const]
          : [],
      ),
    );
  }

  #identity(info: string): ProcessIdentity {
    // Each change asks who it is: of a hundred lines two tell.
    const pid = Number(/^Pid: (\d+)$/m.exec(info)?.[1]);
    const startedAt = Number(/^Start_time_sec: (\d+)$/m.exec(info)?.[1]);
    if (!Number.isInteger(pid) || pid <= 0 || !Number.isFinite(startedAt)) {
      throw new RuntimeApiError('runtime-protocol', `no HAProxy answers on ${this.socketPath}`);
    }
    const identity = { pid, startedAt };
    if (this.#retired !== undefined && sameProcess(identity, this.#retired)) {
      throw new RuntimeApiError('runtime-retired', `an old worker answered on ${this.socketPath}`);
    }
    return identity;
  }

  async #readBack(session: RuntimeSession, touched: ReadonlySet<string>): Promise<void> {
    if (this.#observation === undefined) return;
    const { identity, state } = this.#observation;
    const replaced = new Map<string, Running>();
    const none = new Map<string, ObservedServer>();
    await Promise.all(
      [...touched].map(async (name) => {
        const servers = parseServersState(await session.ask(`show servers state ${name}`));
        replaced.set(name, sameOrNew(state.backends.get(name), servers.get(name) ?? none));
      }),
    );
    const backends = withReplaced(state.backends, replaced);
    this.#observation = { identity, state: { ...state, backends } };
  }
}
