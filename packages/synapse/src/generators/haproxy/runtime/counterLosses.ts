import type { Clock, Logger } from '@smartstack/agent';

/** A worker that lives is found again sooner, in milliseconds. */
const searchMs = 2_000;

/** A worker that is not held any more, by the socket on which it answered. Times are monotonic milliseconds. */
interface Missed {
  readonly socket: string;
  /** When the conversation ended. */
  readonly at: number;
  /** When it was read last. */
  readonly readAt: number;
  /** Since when it is taken for gone; undefined while it may only be silent. */
  readonly goneAt: number | undefined;
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

  /**
   * The conversation with a worker is over, having been read at `readAt` (monotonic milliseconds). One that closed it
   * ends; one that did not answer, `isSilent`, may be frozen, and answer again.
   */
  missed(worker: string, socket: string, readAt: number, isSilent: boolean): void {
    const at = this.#clock.monotonic();
    this.#missed.set(worker, { socket, at, readAt, goneAt: isSilent ? undefined : at });
  }

  /** It answers again, through its master where there is no `socket`; whoever was silent there has been replaced. */
  found(worker: string, socket?: string): void {
    this.#missed.delete(worker);
    if (socket !== undefined) this.nobody(socket);
  }

  /** None of those that were silent on this socket listens there any more. */
  nobody(socket: string): void {
    const goneAt = this.#clock.monotonic();
    for (const [worker, missed] of this.#missed) {
      if (missed.socket === socket && missed.goneAt === undefined)
        this.#missed.set(worker, { ...missed, goneAt });
    }
  }

  /** Tells of those that were not found again. */
  tellOld(): void {
    const now = this.#clock.monotonic();
    for (const [worker, { at, readAt, goneAt }] of this.#missed) {
      if (goneAt === undefined || now - goneAt < searchMs) continue;
      this.#missed.delete(worker);
      const seconds = (at - readAt) / 1000;
      this.#logger.warn('a worker of haproxy ended before its counters were read to the end', {
        ...{ worker, lostSeconds: seconds },
      });
      this.#lost(seconds);
    }
  }
}
