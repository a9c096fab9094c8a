import { countColumns, type Counts, countsOf } from './counts.js';

/** What a row of `show stat` stands for. */
export type RowKind = 'frontend' | 'backend' | 'server';

/** One row of `show stat`: what it counted so far, in this worker. */
export interface StatRow {
  readonly kind: RowKind;
  /** Unique among the rows of a worker, and the same in the next worker: see `rowKey`. */
  readonly key: string;
  /** Id of the server (`sid`): another one is another server, though the name is the same. */
  readonly id: number;
  /** Whether it is in `mode http`: others count no responses. */
  readonly http: boolean;
  /** Requests (http) or connections (tcp) under way now. */
  readonly open: number;
  /** HAProxy's checks failed; false for one that it does not check, or was told to leave alone. */
  readonly isDown: boolean;
  /** How long the last 1,024 of them lasted on average, in milliseconds; of backends alone. */
  readonly lastingMs?: number;
  readonly counts: Counts;
}

/** Names a row. A server may bear any name, also `BACKEND`. */
export function rowKey(kind: RowKind, section: string, server = ''): string {
  return `${kind} ${section}/${server}`;
}

/** `type` of `show stat`; others are listeners. */
const kinds = ['frontend', 'backend', 'server'] as const;

/** Where the columns stand that we read. */
export interface StatColumns {
  readonly places: ReadonlyMap<string, number>;
  /** Fields to split off a line: free text, which may hold commas, comes behind them. */
  readonly width: number;
  /** Where the mean duration stands, behind free text that backends have none of; undefined where it is not told. */
  readonly lasting: number | undefined;
}

const needed = ['pxname', 'svname', 'type', 'sid', 'status', 'scur', ...countColumns];

/** Reads the first line of `show stat`; undefined when it is another one, or lacks a column. */
export function readColumns(header: string): StatColumns | undefined {
  if (!header.startsWith('# ')) return undefined;
  const names = header.slice(2).trimEnd().split(',');
  const places = new Map(needed.map((name) => [name, names.indexOf(name)]));
  if ([...places.values()].includes(-1)) return undefined;
  const lasting = names.indexOf('ttime');
  return { places, width: Math.max(...places.values()) + 1, lasting: lasting < 0 ? undefined : lasting };
}

/** Reads a row. Undefined for what is neither frontend, backend nor server; 'malformed' for what is no row at all. */
export function readRow(
  line: string,
  { places, width, lasting }: StatColumns,
): StatRow | undefined | 'malformed' {
  const fields = line.split(',', width);
  if (fields.length < width) return 'malformed';
  const text = (column: string): string => fields[places.get(column) ?? -1] ?? '';
  const number = (column: string): number => Number(text(column));
  const kind = kinds[number('type')];
  if (kind === undefined) return undefined;
  const counts = countsOf(number);
  const [id, open] = [number('sid'), number('scur')];
  const isSound = [id, open, ...Object.values(counts)].every((value) => value >= 0 && Number.isFinite(value));
  if (!isSound || text('pxname') === '') return 'malformed';
  const key = rowKey(kind, text('pxname'), kind === 'server' ? text('svname') : '');
  const isDown = text('status').startsWith('DOWN');
  const row = { kind, key, id, http: text('hrsp_2xx') !== '', open, isDown, counts };
  if (kind !== 'backend' || lasting === undefined) return row;
  const lastingMs = Number(line.split(',', lasting + 1)[lasting] || Number.NaN);
  return Number.isFinite(lastingMs) ? { ...row, lastingMs } : row;
}
