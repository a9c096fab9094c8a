import type { ServiceLine } from '../../explain/shapes.js';
import { quantile } from '../../traffic/latency.js';
import type { ServiceTraffic, TrafficSummary } from '../../traffic/shapes.js';
import type { Place } from './place.js';

/** A service as the list has it: what is known of it, and what it does. Either may be missing for a moment. */
export interface Row {
  readonly name: string;
  readonly line: ServiceLine | undefined;
  readonly traffic: ServiceTraffic | undefined;
}

/** Puts both answers together, by name. */
export function rowsOf(lines: readonly ServiceLine[], traffic: readonly ServiceTraffic[]): readonly Row[] {
  const byName = new Map<string, { line?: ServiceLine; traffic?: ServiceTraffic }>();
  for (const line of lines) byName.set(line.service, { line });
  for (const one of traffic) byName.set(one.service, { ...byName.get(one.service), traffic: one });
  return [...byName].map(([name, found]) => ({ name, line: found.line, traffic: found.traffic }));
}

/** The state of a service in a word, and whether that is as it should be. */
export interface State {
  readonly word: 'live' | 'stale' | 'held' | 'default' | 'previous' | 'pending' | 'unknown';
  readonly level: 'good' | 'fair' | 'bad' | 'none';
}

/** Where its instances come from; `held` where most vanished at once, and are not believed to. */
export function stateOf(line: ServiceLine | undefined): State {
  if (line === undefined) return { word: 'unknown', level: 'none' };
  if (line.held > 0) return { word: 'held', level: 'fair' };
  switch (line.source) {
    case 'live':
      return { word: 'live', level: line.takesTraffic === 0 ? 'bad' : 'good' };
    case 'pending':
      return { word: 'pending', level: 'none' };
    case 'stale':
    case 'previous':
    case 'default':
      return { word: line.source, level: 'fair' };
  }
}

/** Whether somebody should look at it. */
export function hasTrouble({ line, traffic }: Row): boolean {
  const share = traffic?.summary.successRate ?? 1;
  if (share < 0.99) return true;
  if (line === undefined) return false;
  return stateOf(line).level !== 'good' || line.takesTraffic < line.servers || line.reason !== undefined;
}

/** What a column is sorted by; what is not known comes last, either way. */
const columns: Readonly<Record<string, (row: Row) => number | string | undefined>> = {
  service: ({ name }) => name.toLowerCase(),
  success: ({ traffic }) => traffic?.summary.successRate ?? undefined,
  rps: ({ traffic }) => traffic?.summary.rps,
  p50: ({ traffic }) => traffic?.summary.p50 ?? undefined,
  p95: ({ traffic }) => traffic?.summary.p95 ?? undefined,
  p99: ({ traffic }) => traffic?.summary.p99 ?? undefined,
  servers: ({ line }) => line?.takesTraffic,
  state: ({ line }) => stateOf(line).word,
};

/** The rows that are asked for, in the order that is asked for. */
export function chosen(
  rows: readonly Row[],
  place: Pick<Place, 'filter' | 'sort' | 'down' | 'trouble'>,
): readonly Row[] {
  const words = place.filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const matching = rows.filter((row) => {
    if (place.trouble && !hasTrouble(row)) return false;
    const text = `${row.name} ${stateOf(row.line).word} ${row.traffic?.mode ?? ''}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const of = columns[place.sort] ?? columns.service ?? (() => undefined);
  const sign = place.down ? -1 : 1;
  return matching
    .map((row) => ({ row, value: of(row) }))
    .sort((a, b) => {
      const byName = a.row.name < b.row.name ? -1 : 1;
      if (a.value === b.value) return byName;
      if (a.value === undefined) return 1;
      if (b.value === undefined) return -1;
      return a.value < b.value ? -sign : sign;
    })
    .map(({ row }) => row);
}

/** All services together. */
export interface Total {
  readonly rps: number;
  readonly successRate: number | null;
  readonly p95: number | undefined;
  readonly takesTraffic: number;
  readonly servers: number;
  readonly trouble: number;
}

/** What all services come to; percentiles are of all their responses, not of their percentiles. */
export function totalOf(rows: readonly Row[]): Total {
  const all = rows.flatMap(({ traffic }) => (traffic === undefined ? [] : [traffic]));
  const sum = (of: (summary: TrafficSummary) => number): number =>
    all.reduce((total, { summary }) => total + of(summary), 0);
  const latencies: number[] = [];
  for (const { summary } of all) {
    for (const [bucket, value] of (summary.latencies ?? []).entries())
      latencies[bucket] = (latencies[bucket] ?? 0) + value;
  }
  // Of TCP nothing is known but that it was there.
  const [success, failure] = [sum((one) => one.success), sum((one) => one.failure)];
  return {
    rps: sum((one) => one.rps),
    successRate: success + failure > 0 ? success / (success + failure) : null,
    p95: quantile(latencies, 0.95),
    takesTraffic: rows.reduce((total, { line }) => total + (line?.takesTraffic ?? 0), 0),
    servers: rows.reduce((total, { line }) => total + (line?.servers ?? 0), 0),
    trouble: rows.filter(hasTrouble).length,
  };
}
