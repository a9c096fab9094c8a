import type { Clock, Timer } from './clock.js';

/** How long to hold off, in milliseconds. */
export interface CoalescerOptions {
  readonly clock: Clock;
  /** Act when nothing more came for so long. Also the least time between two actions. */
  readonly quietMs: number;
  /** Act at the latest so long after the first unhandled trigger, however many follow. */
  readonly maxMs: number;
  /** Act at once on a trigger that comes after a quiet time (default true). */
  readonly immediate?: boolean;
}

/**
 * Turns a burst of triggers into few runs of a handler. No trigger is lost: one that comes while the
 * handler runs leads to one more run. Two handlers never run at once.
 */
export class Coalescer {
  readonly #options: Required<CoalescerOptions>;
  #pending: { readonly first: number; readonly last: number; readonly immediate: boolean } | undefined;
  #lastTrigger = -Infinity;
  #lastStart = -Infinity;
  #wake: (() => void) | undefined;
  #running = false;

  constructor(options: CoalescerOptions) {
    if (!(options.quietMs >= 0) || !(options.maxMs >= options.quietMs)) {
      throw new RangeError(`hold-off needs 0 <= quietMs <= maxMs, got ${options.quietMs}, ${options.maxMs}`);
    }
    this.#options = { immediate: true, ...options };
  }

  /** Asks for a run, without any hold-off if `atOnce`. Cheap; may be called from anywhere, also before or during `run`. */
  trigger({ atOnce = false } = {}): void {
    const now = this.#options.clock.monotonic();
    const { quietMs, immediate } = this.#options;
    const quiet = now - this.#lastTrigger >= quietMs && now - this.#lastStart >= quietMs;
    const { first, immediate: due } = this.#pending ?? { first: now, immediate: immediate && quiet };
    this.#pending = { first, last: now, immediate: due || atOnce };
    this.#lastTrigger = now;
    this.#wake?.();
  }

  /** Calls `handler` after triggers until `signal` aborts. Rejects with what the handler throws. */
  async run(handler: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    if (this.#running) throw new Error('a coalescer runs only once at a time');
    this.#running = true;
    try {
      while (!signal.aborted) {
        if (await this.#due(signal)) {
          this.#pending = undefined;
          this.#lastStart = this.#options.clock.monotonic();
          await handler(signal);
        }
      }
    } finally {
      this.#running = false;
    }
  }

  /** True when a run is due now; false after waiting for what may have changed that. */
  async #due(signal: AbortSignal): Promise<boolean> {
    const { clock, quietMs, maxMs } = this.#options;
    const pending = this.#pending;
    let delay: number | undefined;
    if (pending) {
      const at = pending.immediate ? pending.first : Math.min(pending.last + quietMs, pending.first + maxMs);
      delay = at - clock.monotonic();
      if (delay <= 0) return true;
    }
    await this.#changed(delay, signal);
    return false;
  }

  /** Waits for a trigger, an abort, or (if given) `delay` milliseconds. */
  async #changed(delay: number | undefined, signal: AbortSignal): Promise<void> {
    let onAbort = (): void => undefined;
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      onAbort = resolve;
      this.#wake = resolve;
      if (delay !== undefined) timer = this.#options.clock.setTimeout(resolve, delay);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) resolve();
    });
    this.#wake = undefined;
    timer?.cancel();
    signal.removeEventListener('abort', onAbort);
  }
}
