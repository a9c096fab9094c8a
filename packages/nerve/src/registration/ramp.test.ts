import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rampStep, type SlowStart } from './ramp.js';

/** Follows a ramp from step to step, as its user does. */
function follow(slowStart: SlowStart, weight: number): { at: number; weight: number }[] {
  const seen: { at: number; weight: number }[] = [];
  for (let at: number | undefined = 0; at !== undefined;) {
    const step = rampStep(slowStart, weight, at);
    seen.push({ at, weight: step.weight });
    at = step.nextMs;
  }
  return seen;
}

describe('rampStep', () => {
  it("has go-nerve's steps", () => {
    const steps = follow({ durationMs: 12_000, shape: 'fibonacci' }, 233);
    expect(steps.map(({ weight }) => weight)).toEqual([1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233]);
    expect(steps.at(-1)?.at).toBe(12_000);
  });

  it('grows evenly when linear', () => {
    const steps = follow({ durationMs: 19_000, shape: 'linear' }, 100);
    expect(steps).toEqual(Array.from({ length: 20 }, (_, i) => ({ at: i * 1000, weight: (i + 1) * 5 })));
  });

  it('leaves 0 and 1 as they are, without a step', () => {
    for (const weight of [0, 1]) {
      expect(follow({ durationMs: 1000, shape: 'linear' }, weight)).toEqual([{ at: 0, weight }]);
    }
  });

  it('rises from step to step, from at least 1 to the whole weight, at the end and not before', () => {
    fc.assert(
      fc.property(
        fc.record({
          durationMs: fc.integer({ min: 1, max: 3_600_000 }),
          shape: fc.constantFrom('linear' as const, 'fibonacci' as const),
        }),
        fc.integer({ min: 2, max: 1000 }),
        (slowStart, weight) => {
          const steps = follow(slowStart, weight);
          expect(steps.length).toBeLessThanOrEqual(20);
          steps.forEach((step, i) => {
            expect(step.weight).toBeGreaterThan(steps[i - 1]?.weight ?? 0);
          });
          expect(steps.at(-1)?.weight).toBe(weight);
          expect(steps.at(-1)?.at).toBeLessThanOrEqual(slowStart.durationMs + 1e-6);
          expect(rampStep(slowStart, weight, slowStart.durationMs).weight).toBe(weight);
          expect(rampStep(slowStart, weight, 1e12)).toEqual({ weight, nextMs: undefined });
        },
      ),
    );
  });

  it('never goes down as time passes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 256 }), fc.nat(10_000), fc.nat(10_000), (weight, a, b) => {
        const slowStart = { durationMs: 7_000, shape: 'fibonacci' } as const;
        const [early, late] = [Math.min(a, b), Math.max(a, b)];
        expect(rampStep(slowStart, weight, early).weight).toBeLessThanOrEqual(
          rampStep(slowStart, weight, late).weight,
        );
      }),
    );
  });
});
