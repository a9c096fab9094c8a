import type { Clock } from '@smartstack/agent';

/** Lets something costly happen at most every `intervalMs`, and so rarely that it takes at most `share` of a core. */
export class Pace {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #share: number;
  #notBefore = -Infinity;

  constructor(clock: Clock, intervalMs: number, share: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#share = share;
  }

  get isDue(): boolean {
    return this.#clock.monotonic() >= this.#notBefore;
  }

  /** It took so many milliseconds of processor time, and ends now. */
  took(ms: number): void {
    this.#notBefore = this.#clock.monotonic() + Math.max(this.#intervalMs, ms / this.#share);
  }
}
