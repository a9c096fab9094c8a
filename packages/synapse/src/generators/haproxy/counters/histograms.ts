import { latencyBuckets } from '../../../traffic/latency.js';

/** Counts of an entry: responses by latency, then 5xx. */
export type HistogramCounts = readonly number[];

/** How many counts an entry has. */
export const histogramWidth = latencyBuckets + 1;

/** One entry of the stick table: what a server answered so far, in this worker. */
export interface HistogramRow {
  /** `backend/server id`. */
  readonly key: string;
  readonly counts: HistogramCounts;
  /** A response is under way that has it, so that it cannot be removed. */
  readonly inUse: boolean;
}

/** What an entry has more than before. */
export interface HistogramGain {
  readonly key: string;
  readonly counts: HistogramCounts;
}

/** One look at the stick table of one worker: all of its entries. */
export interface HistogramReading {
  /** Names the worker, so that no other one ever has this name: pid and start. */
  readonly worker: string;
  readonly rows: readonly HistogramRow[];
  /** The worker is older than we: what it had counted when we came is left out. */
  readonly isOlder: boolean;
}

/** HAProxy counts in 32 bits, and begins anew behind them: at 10,000 requests a second after five days. */
const counterRange = 2 ** 32;

/** What a count grew by; negative where it fell by less than half of its range, which no wrap does. */
function growth(now: number, before: number): number {
  return before - now > counterRange / 2 ? now + counterRange - before : now - before;
}

/**
 * What one entry counted since it was last read. Counts only grow; where one fell, or the entry was gone in between,
 * it was removed and made anew: then all of it is new.
 */
function gained(now: HistogramCounts, before: HistogramCounts | undefined): HistogramCounts | undefined {
  const grown = now.map((count, index) => growth(count, before?.[index] ?? 0));
  const gain = grown.some((count) => count < 0) ? now : grown;
  return gain.some((count) => count > 0) ? gain : undefined;
}

/** Turns looks at the stick tables of workers into what was counted between them, each response exactly once. */
export class Histograms {
  /** What each entry had when it was last read, by worker. */
  readonly #workers = new Map<string, ReadonlyMap<string, HistogramCounts>>();

  get workers(): readonly string[] {
    return [...this.#workers.keys()];
  }

  /** Takes a reading; answers what is new in it, by entry. */
  add({ worker, rows, isOlder }: HistogramReading): readonly HistogramGain[] {
    const last = this.#workers.get(worker);
    const seen = new Map<string, HistogramCounts>();
    const gains: HistogramGain[] = [];
    for (const { key, counts } of rows) {
      const before = last?.get(key);
      const gain = last === undefined && isOlder ? undefined : gained(counts, before);
      if (gain !== undefined) gains.push({ key, counts: gain });
      seen.set(key, gain === undefined && before !== undefined ? before : counts);
    }
    this.#workers.set(worker, seen);
    return gains;
  }

  /** An entry was removed from a worker's table: if it comes again, it begins at 0. */
  removed(worker: string, key: string): void {
    const last = this.#workers.get(worker);
    if (last?.has(key) !== true) return;
    const rest = new Map(last);
    rest.delete(key);
    this.#workers.set(worker, rest);
  }

  /** Forgets a worker. One that were read again after that would count twice: so only when it has ended. */
  forget(worker: string): void {
    this.#workers.delete(worker);
  }
}
