/** How reading HAProxy's counters went since synapse started. */
export interface Counting {
  /** Milliseconds since the last reading; -1: there was none. */
  readonly readMsAgo: number;
  readonly failures: number;
  /** Workers that ended before their counters were read to the end, and the seconds that are missing of them. */
  readonly losses: number;
  readonly lostSeconds: number;
}

/** Keeps account of the readings themselves. */
export class CountingAccount {
  readonly #monotonic: () => number;
  #readAt: number | undefined;
  #failures = 0;
  #losses = 0;
  #lostSeconds = 0;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  read(): void {
    this.#readAt = this.#monotonic();
  }

  failed(): void {
    this.#failures += 1;
  }

  lost(seconds: number): void {
    this.#losses += 1;
    this.#lostSeconds += seconds;
  }

  get now(): Counting {
    const readMsAgo = this.#readAt === undefined ? -1 : Math.round(this.#monotonic() - this.#readAt);
    return {
      ...{ readMsAgo, failures: this.#failures },
      ...{ losses: this.#losses, lostSeconds: this.#lostSeconds },
    };
  }
}
