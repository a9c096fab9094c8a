import type { Clock } from '@smartstack/agent';

/** Looks at a source again and again: after the time that the last look asked for, or sooner when triggered. */
export class Repeater {
  readonly #clock: Clock;
  #again = false;
  #pause = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something may have changed: looks at once, or once more after the look that is under way. */
  trigger(): void {
    this.#again = true;
    this.#pause.abort();
  }

  /** Runs until `signal` aborts. `look` resolves with the milliseconds until the next one, and is never called twice at once. */
  async run(look: (signal: AbortSignal) => Promise<number>, signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#pause.abort();
    signal.addEventListener('abort', stop);
    try {
      while (!signal.aborted) {
        this.#again = false;
        this.#pause = new AbortController();
        const delayMs = await look(signal);
        // Timers of Node take 32 bits.
        const pause = this.#clock.sleep(Math.min(delayMs, 86_400_000), this.#pause.signal);
        if (this.#stops(signal)) this.#pause.abort();
        await pause.catch(() => undefined);
      }
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** True when there is no reason to pause; asked anew after each look. */
  #stops(signal: AbortSignal): boolean {
    return this.#again || signal.aborted;
  }
}
