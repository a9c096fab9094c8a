import { type Counts, fellBehind, minus, noCounts, plus, sameCounts } from './counts.js';
import type { StatRow } from './statTable.js';

/** One look at the counters of one worker. */
export interface Reading {
  /** Names the worker, so that no other one ever has this name: pid and start. */
  readonly worker: string;
  readonly rows: readonly StatRow[];
  /** A server that is missing is gone; false when servers were not asked for. */
  readonly hasServers: boolean;
  /** The worker is older than we: what it had counted when we came belongs to the time before us, and is left out. */
  readonly isOlder: boolean;
}

/** A row over all workers. */
interface TotalRow {
  readonly kind: StatRow['kind'];
  readonly http: boolean;
  readonly counts: Counts;
}

/** What one worker had counted when it was last read. */
interface LastReading {
  readonly rows: ReadonlyMap<string, StatRow>;
  /** Whether its servers were ever read. */
  readonly hasServers: boolean;
}

/** What all workers counted together. Adding a reading never makes a sum less. */
export interface Totals {
  /** By row. */
  readonly sums: ReadonlyMap<string, TotalRow>;
  /** By worker, in the order in which they were first read. */
  readonly workers: ReadonlyMap<string, LastReading>;
}

/** Nothing was read yet. */
export const noTotals: Totals = { sums: new Map(), workers: new Map() };

/**
 * What a row counted since it was last read. HAProxy's counters only grow; one that fell was set back (`clear
 * counters all`), and another id is another server of that name: then everything in it is new.
 */
function gained(now: StatRow, before: StatRow | undefined): Counts {
  if (before?.id !== now.id) return now.counts;
  return fellBehind(now.counts, before.counts) ? now.counts : minus(now.counts, before.counts);
}

function isUnchanged(now: StatRow, before: StatRow | undefined): boolean {
  return before?.id === now.id && sameCounts(now.counts, before.counts);
}

/** Adds what a worker counted since its last reading. */
export function advance(totals: Totals, { worker, rows, hasServers, isOlder }: Reading): Totals {
  const last = totals.workers.get(worker);
  const sums = new Map(totals.sums);
  const seen = new Map<string, StatRow>();
  for (const row of rows) {
    seen.set(row.key, row);
    const before = last?.rows.get(row.key);
    const sum = sums.get(row.key);
    if (sum !== undefined && isUnchanged(row, before)) continue;
    const isFirst = row.kind === 'server' ? last?.hasServers !== true : last === undefined;
    const gain = isFirst && isOlder ? noCounts : gained(row, before);
    sums.set(row.key, { kind: row.kind, http: row.http, counts: plus(sum?.counts ?? noCounts, gain) });
  }
  if (!hasServers) {
    for (const [key, row] of last?.rows ?? []) if (row.kind === 'server') seen.set(key, row);
  }
  const reading = { rows: seen, hasServers: hasServers || last?.hasServers === true };
  return { sums, workers: new Map(totals.workers).set(worker, reading) };
}

/**
 * Forgets a worker; what it counted stays. One that were read again after that would count twice: so only when
 * it has ended.
 */
export function forgetWorker(totals: Totals, worker: string): Totals {
  if (!totals.workers.has(worker)) return totals;
  const workers = new Map(totals.workers);
  workers.delete(worker);
  return { sums: totals.sums, workers };
}

/** Forgets the rows that no worker has any more, but those to `keep`: servers come and go for ever. */
export function forgetRows(totals: Totals, keep: (key: string) => boolean): Totals {
  const workers = [...totals.workers.values()];
  const gone = [...totals.sums.keys()].filter(
    (key) => !keep(key) && !workers.some(({ rows }) => rows.has(key)),
  );
  if (gone.length === 0) return totals;
  const sums = new Map(totals.sums);
  for (const key of gone) sums.delete(key);
  return { sums, workers: totals.workers };
}

/** Requests or connections of a row that are under way now in these workers together. */
export function openNow({ workers }: Totals, live: Iterable<string>, key: string): number {
  return [...live].reduce((sum, worker) => sum + (workers.get(worker)?.rows.get(key)?.open ?? 0), 0);
}
