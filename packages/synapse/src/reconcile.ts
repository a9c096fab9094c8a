import { AgentError, Backoff, type Clock, Coalescer, describeError, type Logger } from '@smartstack/agent';

import type { CatalogReading } from './catalog/catalog.js';
import type { CatalogView, Generator, ReconcileOutcome } from './catalog/types.js';
import type { ReconcileMetrics } from './metrics.js';

/** Durations of the loop, in milliseconds. */
interface ReconcileTiming {
  /** Quiet time that ends a burst of changes. A change after quiet is acted on at once. */
  readonly holdoffMs: number;
  /** However busy it is, no change waits longer than this. */
  readonly holdoffMaxMs: number;
  /** A reconcile without an event. */
  readonly resyncMs: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** A reconcile that takes longer than this is not progress. */
  readonly stuckMs: number;
}

export interface ReconcileLoopOptions {
  readonly generator: Generator;
  /** What is known now. */
  readonly read: () => CatalogReading;
  /** Whether the first pass has something to wait for. */
  readonly isWaiting: () => boolean;
  /** Called with each view that the generator took. */
  readonly onActed: (view: CatalogView) => void;
  readonly timing: ReconcileTiming;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: ReconcileMetrics;
  /** Uniform in [0, 1). Spreads resyncs and retries of a fleet. */
  readonly random?: () => number;
}

/** For `/status`. Wall-clock times in milliseconds since the epoch. */
export interface ReconcileStatus {
  readonly generator: string;
  readonly passes: number;
  readonly outcome: ReconcileOutcome['outcome'] | 'failed' | undefined;
  readonly lastSuccessAt: number | undefined;
  readonly consecutiveFailures: number;
  readonly error: string | undefined;
  /** Services that the first pass still waits for. */
  readonly waitingFor: readonly string[];
}

interface Waiter {
  readonly sequence: number;
  readonly resolve: () => void;
}

/** What one pass found out: when to look again, and whether nothing is left to do. */
interface PassResult {
  readonly againInMs: number;
  readonly settled: boolean;
}

/**
 * Keeps one generator in step with the catalog: level-triggered, one pass at a time, again after a
 * failure (with backoff), when the generator asks for it, and once in a while without any reason.
 */
export class ReconcileLoop {
  readonly #options: ReconcileLoopOptions;
  readonly #coalescer: Coalescer;
  readonly #backoff: Backoff;
  readonly #random: () => number;
  readonly #waiters = new Set<Waiter>();
  #requested = 0;
  #acted = false;
  /** The first pass that waits for nothing was asked for. */
  #complete = false;
  /** Monotonic: when the pass that runs began, or the last one ended. */
  #movedAt: number;
  #running = false;
  #status: ReconcileStatus;

  constructor(options: ReconcileLoopOptions) {
    const { clock, timing, generator, random = Math.random } = options;
    this.#options = options;
    this.#random = random;
    this.#coalescer = new Coalescer({ clock, quietMs: timing.holdoffMs, maxMs: timing.holdoffMaxMs });
    this.#backoff = new Backoff({ minMs: timing.retryMinMs, maxMs: timing.retryMaxMs, random });
    this.#movedAt = clock.monotonic();
    this.#status = {
      generator: generator.name,
      passes: 0,
      outcome: undefined,
      lastSuccessAt: undefined,
      consecutiveFailures: 0,
      error: undefined,
      waitingFor: [],
    };
  }

  get status(): ReconcileStatus {
    return this.#status;
  }

  /** Something may have changed: look again. */
  trigger(): void {
    this.#requested += 1;
    // At the start there is no burst to sit out: all are waited for, and this was the last.
    const atOnce = !this.#complete && !this.#options.isWaiting();
    this.#complete ||= atOnce;
    this.#coalescer.trigger({ atOnce });
  }

  /** Resolves when everything that was triggered before the call is carried out; rejects when `signal` aborts. */
  settled(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const waiter: Waiter = {
        sequence: this.#requested,
        resolve: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = (): void => {
        this.#waiters.delete(waiter);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
      this.#coalescer.trigger();
    });
  }

  /** False when a pass hangs, or when the loop fell asleep. Failing passes are progress. */
  progresses(): boolean {
    const { clock, timing } = this.#options;
    const idle = this.#running ? 0 : Math.max(timing.resyncMs, timing.retryMaxMs);
    return clock.monotonic() - this.#movedAt <= timing.stuckMs + idle;
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let next: { cancel(): void } | undefined;
    this.trigger();
    try {
      await this.#coalescer.run(async (inner) => {
        next?.cancel();
        const { againInMs } = await this.#pass(inner);
        next = clock.setTimeout(() => this.#coalescer.trigger(), againInMs);
      }, signal);
    } finally {
      next?.cancel();
    }
  }

  async #pass(signal: AbortSignal): Promise<PassResult> {
    const { clock } = this.#options;
    const sequence = this.#requested;
    this.#running = true;
    this.#movedAt = clock.monotonic();
    try {
      const result = await this.#reconcile(signal);
      if (result.settled) this.#settle(sequence);
      return result;
    } finally {
      this.#running = false;
      this.#movedAt = clock.monotonic();
    }
  }

  async #reconcile(signal: AbortSignal): Promise<PassResult> {
    const { read, generator, clock, metrics, onActed } = this.#options;
    const { view, waiting, againInMs: nextLook = Infinity } = read();
    // Later views may leave new services out; the first must not, for these may be routes that work.
    if (!this.#acted && waiting.length > 0) {
      this.#status = { ...this.#status, outcome: 'waiting', waitingFor: waiting };
      return { againInMs: nextLook, settled: false };
    }
    const startedAt = clock.monotonic();
    const seconds = () => (clock.monotonic() - startedAt) / 1000;
    try {
      const { outcome, againInMs = Infinity } = await generator.reconcile(view, signal);
      this.#acted = true;
      onActed(view);
      if (outcome === 'waiting') this.#deferred();
      else this.#succeeded(outcome);
      metrics.passed(generator.name, outcome, seconds(), clock.now());
      const settled = outcome !== 'waiting' && againInMs === Infinity && waiting.length === 0;
      return { againInMs: Math.min(againInMs, nextLook, this.#resyncMs()), settled };
    } catch (error) {
      // Whatever an interrupted pass throws, it is not a failure.
      if (signal.aborted) return { againInMs: this.#resyncMs(), settled: false };
      this.#failed(error);
      metrics.passed(generator.name, 'failed', seconds(), clock.now());
      return { againInMs: Math.min(this.#backoff.next(), nextLook), settled: false };
    }
  }

  /** The generator could not do all of it yet: what failed before has not succeeded by that. */
  #deferred(): void {
    const { passes, consecutiveFailures } = this.#status;
    const outcome = consecutiveFailures > 0 ? 'failed' : 'waiting';
    this.#status = { ...this.#status, outcome, passes: passes + 1, waitingFor: [] };
  }

  #succeeded(outcome: ReconcileOutcome['outcome']): void {
    const { clock, logger } = this.#options;
    const { consecutiveFailures: failures, passes } = this.#status;
    if (failures > 0) logger.info('reconcile succeeds again', { failures });
    this.#backoff.reset();
    this.#status = {
      ...this.#status,
      outcome,
      passes: passes + 1,
      lastSuccessAt: clock.now(),
      consecutiveFailures: 0,
      error: undefined,
      waitingFor: [],
    };
  }

  #failed(error: unknown): void {
    const { logger } = this.#options;
    const message = describeError(error);
    const expected = error instanceof AgentError;
    const fields = expected || !(error instanceof Error) ? { error: message } : { error: error.stack };
    // A failure that lasts is one event, not one per attempt.
    const level = message === this.#status.error ? 'debug' : expected ? 'warn' : 'error';
    logger[level]('reconcile failed', fields);
    this.#status = {
      ...this.#status,
      outcome: 'failed',
      passes: this.#status.passes + 1,
      consecutiveFailures: this.#status.consecutiveFailures + 1,
      error: message,
      waitingFor: [],
    };
  }

  #settle(sequence: number): void {
    for (const waiter of this.#waiters) {
      if (waiter.sequence > sequence) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  /** Between 80 and 120 % of the interval, so that a fleet does not resync in step. */
  #resyncMs(): number {
    return this.#options.timing.resyncMs * (0.8 + 0.4 * this.#random());
  }
}
