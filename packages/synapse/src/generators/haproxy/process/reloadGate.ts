import type { Clock } from '@smartstack/agent';
import type { ReloadReason } from '../types.js';

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

/** The same reload again (it changed nothing, or it failed) comes ever more rarely, but never more than this apart. */
const maxUselessMs = 60_000;

/**
 * Rate limit of reloads. The first is free; reasons that come meanwhile are carried out together by the next.
 * When the same reasons remain after loading the same file (HAProxy reads another file, a socket path is wrong),
 * the interval doubles each time: old workers must not pile up for nothing.
 */
export class ReloadGate {
  readonly #options: ReloadGateOptions;
  #attemptedAt = -Infinity;
  #intervalMs = 0;
  #useless = 0;
  #last: { readonly reasons: string; readonly file: string } | undefined;

  constructor(options: ReloadGateOptions) {
    this.#options = options;
  }

  /** Milliseconds until a reload for these reasons with this file is allowed; 0 when it is. */
  waitMs(reasons: readonly ReloadReason[], file: string): number {
    const penalty = this.#isRepeated(reasons, file) ? this.#penaltyMs(this.#useless + 1) : 0;
    const notBefore = this.#attemptedAt + Math.max(this.#intervalMs, penalty);
    return Math.max(0, notBefore - this.#options.clock.monotonic());
  }

  /** Counts an attempt, successful or not: the next one waits its interval from now. */
  attempted(reasons: readonly ReloadReason[], file: string): void {
    const { clock, intervalMs, jitter, random } = this.#options;
    this.#useless = this.#isRepeated(reasons, file) ? this.#useless + 1 : 0;
    this.#last = { reasons: keyOf(reasons), file };
    this.#attemptedAt = clock.monotonic();
    this.#intervalMs = intervalMs * (1 + jitter * random());
  }

  #isRepeated(reasons: readonly ReloadReason[], file: string): boolean {
    const last = this.#last;
    return last?.file === file && last.reasons === keyOf(reasons);
  }

  #penaltyMs(times: number): number {
    return Math.min(maxUselessMs, Math.max(this.#options.intervalMs, 500) * 2 ** Math.min(times - 1, 20));
  }
}

function keyOf(reasons: readonly ReloadReason[]): string {
  return reasons
    .map(({ kind, detail }) => `${kind} ${detail}`)
    .sort()
    .join('\n');
}
