import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { latencyBounds, latencyBuckets, latencySum, quantile } from './latency.js';

function histogramOf(latencies: readonly number[]): number[] {
  const counts = new Array<number>(latencyBuckets).fill(0);
  for (const latency of latencies) {
    const bucket = latencyBounds.findIndex((bound) => latency <= bound);
    counts[bucket < 0 ? latencyBounds.length : bucket]! += 1;
  }
  return counts;
}

describe('a quantile', () => {
  it('lies in the bucket of the exact one', () => {
    const latency = fc.oneof(
      fc.double({ min: 0, max: 0.1, noNaN: true }),
      fc.double({ min: 0, max: 20, noNaN: true }),
    );
    fc.assert(
      fc.property(
        fc.array(latency, { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 1, max: 100 }),
        (all, percent) => {
          const sorted = [...all].sort((a, b) => a - b);
          const exact = sorted[Math.ceil((percent / 100) * sorted.length - 1e-9) - 1]!;
          const bucket = latencyBounds.findIndex((bound) => exact <= bound);
          const estimate = quantile(histogramOf(all), percent / 100)!;
          if (bucket < 0) expect(estimate).toBe(10);
          else {
            expect(estimate).toBeGreaterThanOrEqual((latencyBounds[bucket - 1] ?? 0) - 1e-12);
            expect(estimate).toBeLessThanOrEqual(latencyBounds[bucket]! + 1e-12);
          }
        },
      ),
    );
  });

  it('is interpolated as Prometheus does, and unknown without any response', () => {
    const counts = histogramOf([...Array<number>(50).fill(0.02), ...Array<number>(50).fill(0.06)]);
    expect(quantile(counts, 0.25)).toBeCloseTo(0.01 + 0.015 * 0.5, 10);
    expect(quantile(counts, 0.75)).toBeCloseTo(0.0625, 10);
    expect(quantile(histogramOf([]), 0.5)).toBeUndefined();
  });
});

it('the sum of latencies is as far off as their buckets are wide', () => {
  const all = [0.003, 0.004, 0.2, 0.6, 12];
  expect(latencySum(histogramOf(all))).toBeCloseTo(0.00375 * 2 + 0.175 + 0.625 + 10, 10);
});
