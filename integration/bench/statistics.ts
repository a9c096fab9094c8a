/** Order statistics of one series of measurements, in the unit of its samples. */
export interface Summary {
  readonly count: number;
  readonly min: number;
  readonly median: number;
  readonly p95: number;
  readonly max: number;
}

/** Nearest-rank quantiles: every figure is one that was really measured. */
export function summarize(samples: readonly number[]): Summary {
  if (samples.length === 0) throw new RangeError('no samples to summarize');
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = (q: number): number => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? NaN;
  return { count: sorted.length, min: rank(0), median: rank(0.5), p95: rank(0.95), max: rank(1) };
}

/** The sample below or at which a share of all lies, 1 for the highest; nearest rank. NaN without samples. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** One aligned row of a table of milliseconds. */
export function row(label: string, summary: Summary, ratio?: number): string {
  const figures = [summary.min, summary.median, summary.p95, summary.max].map((ms) =>
    ms.toFixed(1).padStart(8),
  );
  const tail = ratio === undefined ? '' : `${ratio.toFixed(2).padStart(8)}x`;
  return `${label.padEnd(44)}${String(summary.count).padStart(5)}${figures.join('')}${tail}`;
}

/** The header that belongs to `row`. */
export const header = `${'milliseconds'.padEnd(44)}${'n'.padStart(5)}${['min', 'median', 'p95', 'max'].map((name) => name.padStart(8)).join('')}${'/ floor'.padStart(9)}`;
