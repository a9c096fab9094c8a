/**
 * Upper bounds of the buckets of a latency histogram, in seconds; one more bucket takes what is above the last. OTel's
 * buckets for HTTP, with three below them: a call within a host or a rack takes less than 5 ms.
 */
export const latencyBounds: readonly number[] = [
  ...[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075],
  ...[0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
];

/** How many counts a latency histogram has. */
export const latencyBuckets = latencyBounds.length + 1;

/**
 * The latency in seconds below which a share `q` (0 to 1) of the responses lies, as Prometheus's `histogram_quantile`
 * has it: as if those of a bucket were spread evenly over it, and the last bound for what lies above that. The true
 * value is in the same bucket. Undefined when nothing was counted.
 */
export function quantile(counts: ArrayLike<number>, q: number): number | undefined {
  let total = 0;
  for (let bucket = 0; bucket < latencyBuckets; bucket += 1) total += counts[bucket] ?? 0;
  if (total === 0) return undefined;
  const rank = Math.min(1, Math.max(0, q)) * total;
  let below = 0;
  for (let bucket = 0; bucket < latencyBounds.length; bucket += 1) {
    const here = counts[bucket] ?? 0;
    if (here > 0 && below + here >= rank) {
      const [from, to] = [latencyBounds[bucket - 1] ?? 0, latencyBounds[bucket] ?? 0];
      return from + (to - from) * ((rank - below) / here);
    }
    below += here;
  }
  return latencyBounds.at(-1);
}

/** What all latencies together come to, in seconds, if each lay in the middle of its bucket: an estimate. */
export function latencySum(counts: ArrayLike<number>): number {
  let sum = 0;
  for (let bucket = 0; bucket < latencyBuckets; bucket += 1) {
    const from = latencyBounds[bucket - 1] ?? 0;
    sum += ((counts[bucket] ?? 0) * (from + (latencyBounds[bucket] ?? from))) / 2;
  }
  return sum;
}
