import type { Clock, Logger } from '@smartstack/agent';

/** A worker that lives is found again sooner, in milliseconds. */
const searchMs = 2_000;

interface Missed {
  readonly at: number;
  /** When it was read last. */
  readonly readAt: number;
}

/** Tells of workers that ended before they were read to their end: what they counted since the last reading is lost. */
export class CounterLosses {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #lost: (seconds: number) => void;
  readonly #missed = new Map<string, Missed>();

  constructor(clock: Clock, logger: Logger, lost: (seconds: number) => void) {
    this.#clock = clock;
    this.#logger = logger;
    this.#lost = lost;
  }

  /** A worker closed the session, having been read at `readAt` (monotonic milliseconds). */
  missed(worker: string, readAt: number): void {
    this.#missed.set(worker, { at: this.#clock.monotonic(), readAt });
  }

  /** It answers again: it had only closed the session. */
  found(worker: string): void {
    this.#missed.delete(worker);
  }

  /** Tells of those that were not found again. */
  tellOld(): void {
    const now = this.#clock.monotonic();
    for (const [worker, { at, readAt }] of this.#missed) {
      if (now - at < searchMs) continue;
      this.#missed.delete(worker);
      const seconds = (at - readAt) / 1000;
      this.#logger.warn('a worker of haproxy ended before its counters were read to the end', {
        ...{ worker, lostSeconds: seconds },
      });
      this.#lost(seconds);
    }
  }
}
