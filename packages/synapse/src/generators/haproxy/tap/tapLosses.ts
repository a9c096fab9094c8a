import type { TapLine } from './tapLine.js';

interface Seen {
  readonly first: number;
  last: number;
  lines: number;
  /** Lines that lacked at the last look. */
  lacking: number;
  told: number;
}

/**
 * Counts lines that one worker wrote and nobody got: HAProxy numbers them by frontend, and has no room for more than a
 * ring holds. A worker of several threads may number two of them alike, or write them in another order: what lacks at
 * two looks is lost.
 */
export class TapLosses {
  readonly #seen = new Map<string, Seen>();

  /** Notes a line. */
  note({ frontend, count }: Pick<TapLine, 'frontend' | 'count'>): void {
    const seen = this.#seen.get(frontend);
    if (seen === undefined) {
      this.#seen.set(frontend, { first: count, last: count, lines: 1, lacking: 0, told: 0 });
      return;
    }
    seen.lines += 1;
    if (count > seen.last) seen.last = count;
  }

  /** What was lost since the last look, by frontend. */
  look(): ReadonlyMap<string, number> {
    const news = new Map<string, number>();
    for (const [frontend, seen] of this.#seen) {
      const lacking = Math.max(0, seen.last - seen.first + 1 - seen.lines);
      const lost = Math.min(lacking, seen.lacking);
      seen.lacking = lacking;
      if (lost <= seen.told) continue;
      news.set(frontend, lost - seen.told);
      seen.told = lost;
    }
    return news;
  }
}
