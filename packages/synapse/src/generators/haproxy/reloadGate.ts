import type { Clock } from '@smartstack/agent';

/** How often HAProxy may be reloaded. */
export interface ReloadGateOptions {
  readonly clock: Clock;
  /** Least milliseconds between two reloads. */
  readonly intervalMs: number;
  /** Up to this share of the interval is added at random, so that a fleet does not reload in step. */
  readonly jitter: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Rate limit of reloads. The first is free; reasons that come meanwhile are carried out together by the next. */
export class ReloadGate {
  readonly #options: ReloadGateOptions;
  #notBefore: number;

  constructor(options: ReloadGateOptions) {
    this.#options = options;
    this.#notBefore = -Infinity;
  }

  /** Milliseconds until a reload is allowed; 0 when it is. */
  get waitMs(): number {
    return Math.max(0, this.#notBefore - this.#options.clock.monotonic());
  }

  /** Counts an attempt, successful or not: the next one waits its interval from now. */
  attempted(): void {
    const { clock, intervalMs, jitter, random } = this.#options;
    this.#notBefore = clock.monotonic() + intervalMs * (1 + jitter * random());
  }
}
