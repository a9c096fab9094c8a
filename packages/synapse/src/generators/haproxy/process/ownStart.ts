import type { Clock } from '@smartstack/agent';

/** So long after a start whatever can wait leaves the processor to an HAProxy that has just begun to serve, in milliseconds. */
const restMs = 2_000;

/** The last start of an HAProxy on a file of ours that nobody had checked: it is no news, and serving comes first. */
export class OwnStart {
  readonly #clock: Clock;
  /** Monotonic; Infinity while it is under way. */
  #endedAt = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long ago it ended, in milliseconds: 0 while it is under way, Infinity without one. */
  get agoMs(): number {
    return Math.max(0, this.#clock.monotonic() - this.#endedAt);
  }

  /** Resolves when the last start, if there was one, ended some seconds ago, or `signal` aborts: never rejects. */
  async rest(signal: AbortSignal): Promise<void> {
    for (let left = restMs - this.agoMs; left > 0 && !signal.aborted; left = restMs - this.agoMs)
      await this.#clock.sleep(left, signal).catch(() => undefined);
  }

  /** Notes the start that `start` makes, which returns whether there was one. */
  async noting(start: () => Promise<boolean>): Promise<boolean> {
    const before = this.#endedAt;
    this.#endedAt = Infinity;
    let isStarted = false;
    try {
      isStarted = await start();
    } finally {
      this.#endedAt = isStarted ? this.#clock.monotonic() : before;
    }
    return isStarted;
  }
}
