import type { CheckResult } from './health.js';

/** One result of a check. `at` is wall clock milliseconds: when it was known. */
export interface PastResult {
  readonly ok: boolean;
  readonly reason?: string;
  readonly at: number;
  readonly tookMs: number;
}

const kept = 10;

/**
 * The last ten results of a check. A thousand checks add thousands of results each second: they are written over
 * the oldest ones, in place, so that nothing has to be collected.
 */
export class History {
  readonly #at: number[] = new Array<number>(kept).fill(0);
  readonly #tookMs: number[] = new Array<number>(kept).fill(0);
  /** Undefined: it passed. */
  readonly #reasons: (string | undefined)[] = new Array<undefined>(kept).fill(undefined);
  #count = 0;

  /** Adds what came last. */
  add(result: CheckResult, at: number, tookMs: number): void {
    const slot = this.#count % kept;
    this.#at[slot] = at;
    this.#tookMs[slot] = tookMs;
    this.#reasons[slot] = result.ok ? undefined : result.reason;
    this.#count += 1;
  }

  /** Oldest first. */
  get results(): readonly PastResult[] {
    const found: PastResult[] = [];
    for (let index = Math.max(0, this.#count - kept); index < this.#count; index += 1) {
      const slot = index % kept;
      const reason = this.#reasons[slot];
      found.push({
        ok: reason === undefined,
        ...(reason === undefined ? {} : { reason }),
        at: this.#at[slot] ?? 0,
        tookMs: this.#tookMs[slot] ?? 0,
      });
    }
    return found;
  }
}
