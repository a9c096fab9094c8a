import { pathPattern } from './pathPattern.js';
import type { TapRequest } from './shapes.js';

/** Requests of one client to one server that look alike. Times are seconds. */
export interface TopRow {
  readonly source: string;
  readonly service: string;
  readonly server: string | null;
  readonly method: string | null;
  /** With `{id}` for what differs from request to request. */
  readonly path: string | null;
  readonly count: number;
  readonly best: number | null;
  readonly worst: number | null;
  readonly last: number | null;
  /** Share of those that did not fail, without those that the client gave up; null when there are none. */
  readonly successRate: number | null;
}

type Sum = { -readonly [K in keyof Omit<TopRow, 'successRate'>]: TopRow[K] };

/** Kinds of requests that are told apart: clients may think of any number of paths. */
const maxKinds = 2_000;

/** Sums up requests that look alike. */
export class Busiest {
  readonly #sums = new Map<string, Sum & { success: number; failure: number }>();
  #others = 0;

  /** Requests of kinds that are not told apart any more. */
  get others(): number {
    return this.#others;
  }

  /** Counts a request. */
  add({ source, service, server, method, path, latency, duration, outcome }: TapRequest): void {
    const pattern = path === null ? null : pathPattern(path);
    const key = JSON.stringify([source, service, server, method, pattern]);
    let sum = this.#sums.get(key);
    if (sum === undefined) {
      if (this.#sums.size >= maxKinds) this.#makeRoom();
      const none = { count: 0, best: null, worst: null, last: null, success: 0, failure: 0 };
      sum = { source, service, server, method, path: pattern, ...none };
      this.#sums.set(key, sum);
    }
    sum.count += 1;
    if (outcome !== 'aborted') sum[outcome] += 1;
    const took = latency ?? duration;
    if (took === null) return;
    sum.best = Math.min(sum.best ?? took, took);
    sum.worst = Math.max(sum.worst ?? took, took);
    sum.last = took;
  }

  /** The rows, with the busiest first; of equals, those that came first. */
  rows(): readonly TopRow[] {
    return [...this.#sums.values()]
      .sort((a, b) => b.count - a.count)
      .map(({ success, failure, ...row }) => ({
        ...row,
        successRate: success + failure === 0 ? null : success / (success + failure),
      }));
  }

  /** The rarest go. */
  #makeRoom(): void {
    const rarest = [...this.#sums].sort(([, a], [, b]) => a.count - b.count).slice(0, maxKinds / 10);
    for (const [key, { count }] of rarest) {
      this.#others += count;
      this.#sums.delete(key);
    }
  }
}
