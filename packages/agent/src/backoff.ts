/** Bounds of the delays, in milliseconds. */
export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  /** Uniform in [0, 1). Injected so that tests are deterministic. */
  readonly random?: () => number;
}

/**
 * Exponential backoff with full jitter: each delay is uniform between `minMs` and a ceiling that
 * doubles from `minMs` to `maxMs`, so that a fleet which failed together does not retry together.
 */
export class Backoff {
  #attempt = 0;
  readonly #options: Required<BackoffOptions>;

  constructor(options: BackoffOptions) {
    if (!(options.minMs > 0) || options.maxMs < options.minMs) {
      throw new RangeError(`backoff needs 0 < minMs <= maxMs, got ${options.minMs} and ${options.maxMs}`);
    }
    this.#options = { random: Math.random, ...options };
  }

  /** Failures since the last reset. */
  get attempt(): number {
    return this.#attempt;
  }

  /** Counts one more failure and returns how long to wait before trying again, in milliseconds. */
  next(): number {
    const { minMs, maxMs, random } = this.#options;
    // 2^30 is past any sane ceiling; unbounded it would reach Infinity after days of failures.
    const ceiling = Math.min(maxMs, minMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    return minMs + random() * (ceiling - minMs);
  }

  /** Forgets the failures: the next delay starts from `minMs` again. */
  reset(): void {
    this.#attempt = 0;
  }
}
