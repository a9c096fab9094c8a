import { type Clock, describeError, type Logger } from '@smartstack/agent';
import { type ProcessIdentity, sameProcess } from '../loaded/beliefs.js';
import type { HaproxyMetrics } from '../haproxyMetrics.js';
import { type OldWorker, OldWorkers } from './oldWorkers.js';
import { RuntimeApiError } from '../runtime/runtimeError.js';
import { type ProcessInfo, readProcessInfo } from '../runtime/runtimeSdk.js';
import type { GeneratorTiming, Wiring } from '../wiring.js';

/** What looking after a process needs. */
export interface HaproxyWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: HaproxyMetrics;
  readonly timing: GeneratorTiming;
  readonly wake: () => void;
  /** When HAProxy itself ends an old worker, in milliseconds; undefined when never. */
  readonly hardStopAfterMs: () => number | undefined;
}

type Seen = 'unknown' | 'silent' | 'gone' | `worker ${string}`;

/** So long a start of our own is no news, in milliseconds. */
const startMs = 1_000;

/** How often the whole `show info` is read for the status, in milliseconds. */
const informEachMs = 5_000;

/**
 * Notices within about half a second that HAProxy died, came back, was restarted, reloaded by somebody else or
 * replaced, and that another executable was installed, and asks for a reconcile. Also counts old workers, and
 * reads what the status shows.
 */
export class HaproxyWatch {
  readonly #options: HaproxyWatchOptions;
  readonly #wiring: Wiring;
  readonly #seen = new Map<string, Seen>();
  /** Sockets of processes that stood still until the last look. */
  readonly #thawed = new Set<string>();
  readonly #info = new Map<string, ProcessInfo>();
  readonly #oldWorkers: OldWorkers;
  #informedAt = -Infinity;
  #installed: string | undefined;

  constructor(wiring: Wiring, options: HaproxyWatchOptions) {
    this.#wiring = wiring;
    this.#options = options;
    this.#oldWorkers = new OldWorkers(options.logger, options.hardStopAfterMs);
  }

  /** Workers of earlier configurations; undefined when no master socket tells. */
  get oldWorkers(): readonly OldWorker[] | undefined {
    return this.#oldWorkers.workers;
  }

  /** What each process says of itself, by socket path; absent while it does not answer. */
  get info(): ReadonlyMap<string, ProcessInfo> {
    return this.#info;
  }

  /** Looks again and again until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, timing } = this.#options;
    while (!signal.aborted) {
      await Promise.all(this.#wiring.targets.map((_, index) => this.#look(index, signal)));
      await this.#lookAtExecutable(signal);
      await this.#inform(signal);
      await clock.sleep(timing.watchMs, signal).catch(() => undefined);
    }
  }

  async #look(index: number, signal: AbortSignal): Promise<void> {
    const target = this.#wiring.targets[index];
    if (target === undefined) return;
    const { logger, wake } = this.#options;
    const { socketPath: socket } = target;
    const lookAgain = (): void => {
      target.invalidate();
      wake();
    };
    let now: Seen;
    let worker: ProcessIdentity | undefined;
    let problem: string | undefined;
    try {
      worker = await target.identify(signal);
      now = `worker ${worker.pid} of ${worker.startedAt}`;
    } catch (error) {
      if (signal.aborted || (error instanceof RuntimeApiError && error.code === 'runtime-retired')) return;
      problem = describeError(error);
      now = error instanceof RuntimeApiError && error.code === 'runtime-timeout' ? 'silent' : 'gone';
    }
    const before = this.#seen.get(socket) ?? 'unknown';
    if (now === before) {
      if (this.#thawed.delete(socket)) lookAgain();
      return;
    }
    this.#seen.set(socket, now);
    // It may still carry out what it was told before it stood still, by conversations that we broke off.
    if (before === 'silent' && worker !== undefined) this.#thawed.add(socket);
    else this.#thawed.delete(socket);
    // The first look finds what the first reconcile finds.
    if (before === 'unknown') return;
    // Nor is a successor news that the generator knows already, because it reloaded itself.
    const known = target.observation?.identity;
    if (before.startsWith('worker') && worker && known && sameProcess(worker, known)) return;
    if (problem === undefined) logger.info('haproxy answers', { socket, process: now });
    else logger.warn('haproxy does not answer', { socket, problem });
    // One that we started ourselves is looked at when it serves.
    if (worker !== undefined && before === 'gone' && this.#wiring.ownStart.agoMs < startMs)
      target.invalidate();
    else lookAgain();
  }

  /** What another version refuses must be out of the file before that version is started on it. */
  async #lookAtExecutable(signal: AbortSignal): Promise<void> {
    const { installed } = this.#wiring;
    const version = await (this.#installed === undefined ? installed.current() : installed.version(signal));
    if (version === undefined || version === this.#installed) return;
    const before = this.#installed;
    this.#installed = version;
    if (before === undefined) return;
    this.#options.logger.info('another haproxy is installed', { before, version });
    this.#options.wake();
  }

  async #inform(signal: AbortSignal): Promise<void> {
    const { clock, timing, metrics } = this.#options;
    const status = await this.#wiring.process.status(signal);
    if (!signal.aborted) this.#oldWorkers.update(status, clock.monotonic());
    metrics.oldWorkers(this.oldWorkers?.length);
    if (clock.monotonic() - this.#informedAt < informEachMs) return;
    this.#informedAt = clock.monotonic();
    for (const { socketPath: socket } of this.#wiring.targets) {
      const options = { clock, deadlineMs: timing.commandMs, signal };
      const info = await readProcessInfo(socket, options).catch(() => undefined);
      if (info === undefined) this.#info.delete(socket);
      else this.#info.set(socket, info);
    }
  }
}
