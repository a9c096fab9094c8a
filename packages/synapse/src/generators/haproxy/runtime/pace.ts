import type { Clock } from '@smartstack/agent';

/** Begins to measure; what it returns tells the processor time of this process since, in milliseconds. */
export type CpuMeter = () => () => number;

/** The kernel's account. Not the time that passed: on a busy machine that is mostly the time of others. */
export const cpuMeter: CpuMeter = () => {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
};

/**
 * Lets something costly happen at most every `intervalMs`, and so rarely that it takes at most `share` of a core. What
 * it costs is the lesser of the last two times: the process does other things meanwhile, which count in one of them.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #share: number;
  #notBefore = -Infinity;
  #lastMs: number | undefined;
  #costMs: number | undefined;

  constructor(clock: Clock, intervalMs: number, share: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#share = share;
  }

  get isDue(): boolean {
    return this.#clock.monotonic() >= this.#notBefore;
  }

  /** What it costs, in milliseconds of processor time; undefined before the first time. */
  get costMs(): number | undefined {
    return this.#costMs;
  }

  /** It took so many milliseconds of processor time, and ends now. */
  took(ms: number): void {
    const costMs = Math.min(ms, this.#lastMs ?? ms);
    this.#costMs = costMs;
    this.#lastMs = ms;
    this.#notBefore = this.#clock.monotonic() + Math.max(this.#intervalMs, costMs / this.#share);
  }

  /** It was done along with something else, which pays for it. */
  wasIncluded(): void {
    this.#notBefore = this.#clock.monotonic() + this.#intervalMs;
  }
}
