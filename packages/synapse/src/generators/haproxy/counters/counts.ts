/** What is counted of a frontend, backend or server: HAProxy's own columns of `show stat`, all of which only grow. */
export const countColumns = [
  /** Requests in `mode http`, connections in `mode tcp`; counted when they begin. */
  'stot',
  'bin',
  'bout',
  'hrsp_1xx',
  'hrsp_2xx',
  'hrsp_3xx',
  'hrsp_4xx',
  'hrsp_5xx',
  'hrsp_other',
  'ereq',
  'econ',
  'eresp',
  'wretr',
  'wredis',
  'cli_abrt',
] as const;

export type CountColumn = (typeof countColumns)[number];

/** One number for each column; 0 where HAProxy counts no such thing of such a row. */
export type Counts = Readonly<Record<CountColumn, number>>;

/** Builds counts column by column. */
export function countsOf(value: (column: CountColumn) => number): Counts {
  // A literal: thousands of these are kept, and objects of one shape are small.
  return {
    stot: value('stot'),
    bin: value('bin'),
    bout: value('bout'),
    hrsp_1xx: value('hrsp_1xx'),
    hrsp_2xx: value('hrsp_2xx'),
    hrsp_3xx: value('hrsp_3xx'),
    hrsp_4xx: value('hrsp_4xx'),
    hrsp_5xx: value('hrsp_5xx'),
    hrsp_other: value('hrsp_other'),
    ereq: value('ereq'),
    econ: value('econ'),
    eresp: value('eresp'),
    wretr: value('wretr'),
    wredis: value('wredis'),
    cli_abrt: value('cli_abrt'),
  };
}

/** Nothing was counted yet. */
export const noCounts: Counts = countsOf(() => 0);

/** Both together. */
export function plus(a: Counts, b: Counts): Counts {
  return countsOf((column) => a[column] + b[column]);
}

/** What `now` has more than `before`. */
export function minus(now: Counts, before: Counts): Counts {
  return countsOf((column) => now[column] - before[column]);
}

/** True when some column is lower than before. */
export function fellBehind(now: Counts, before: Counts): boolean {
  return countColumns.some((column) => now[column] < before[column]);
}

/** True when no column differs. */
export function sameCounts(a: Counts, b: Counts): boolean {
  return countColumns.every((column) => a[column] === b[column]);
}
