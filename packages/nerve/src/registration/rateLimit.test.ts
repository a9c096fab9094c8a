import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newBucket, type RateLimit, takeToken } from './rateLimit.js';

function granted(limit: RateLimit, timesMs: readonly number[]): number[] {
  let bucket = newBucket(limit, 0);
  return timesMs.filter((at) => {
    const step = takeToken(limit, bucket, at);
    bucket = step.bucket;
    return step.taken;
  });
}

describe('takeToken', () => {
  it('never refuses without a finite rate', () => {
    expect(granted({ averageRate: Infinity, maxBurst: 1 }, [0, 0, 0, 0])).toHaveLength(4);
  });

  it('grants a burst of the saved tokens, then one for each refill', () => {
    expect(granted({ averageRate: 2, maxBurst: 5 }, [0, 1, 2, 500, 501, 1000])).toEqual([0, 1, 500, 1000]);
  });

  it('saves no more than the burst over a quiet time', () => {
    const burst = Array.from({ length: 10 }, (_, i) => 3_600_000 + i);
    expect(granted({ averageRate: 1, maxBurst: 3 }, burst)).toHaveLength(3);
  });

  it('never grants at a rate of 0', () => {
    expect(granted({ averageRate: 0, maxBurst: 1 }, [0, 1e9])).toEqual([]);
  });

  it('bounds every window by its burst and its rate', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 300 }),
        (averageRate, maxBurst, unordered) => {
          const times = [...unordered].sort((a, b) => a - b);
          const passed = granted({ averageRate, maxBurst }, times);
          passed.forEach((from, i) => {
            const window = ((passed.at(-1) ?? 0) - from) / 1000;
            expect(passed.length - i).toBeLessThanOrEqual(maxBurst + averageRate * window + 1e-6);
          });
        },
      ),
    );
  });
});
