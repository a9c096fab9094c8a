import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Damping, type FlapState, holdMs, noFlaps, noteFall, penaltyAt } from './damping.js';

const damping: Damping = { halfLifeMs: 60_000, suppress: 3, reuse: 1, maxHoldMs: 300_000 };

function after(falls: readonly number[], with_: Damping = damping): FlapState {
  return falls.reduce((state, at) => noteFall(with_, state, at), noFlaps);
}

describe('noteFall', () => {
  it('costs nothing before the threshold', () => {
    expect(holdMs(after([0]), 0)).toBe(0);
    expect(holdMs(after([0, 1]), 1)).toBe(0);
  });

  it('holds until the penalty has decayed to `reuse`', () => {
    const state = after([0, 0, 0]);
    expect(state.penalty).toBe(3);
    const hold = holdMs(state, 0);
    expect(hold).toBeCloseTo(60_000 * Math.log2(3), 3);
    expect(penaltyAt(damping, state, hold)).toBeCloseTo(1, 9);
  });

  it('holds longer with each fall, up to the maximum', () => {
    const holds = [3, 4, 6, 12, 100, 10_000].map((count) =>
      holdMs(after(Array.from({ length: count }, () => 5)), 5),
    );
    expect(holds).toEqual(holds.toSorted((a, b) => a - b));
    expect(new Set(holds.slice(0, 4)).size).toBe(4);
    expect(holds.at(-1)).toBe(300_000);
  });

  it('forgets while it is quiet', () => {
    const state = after([0, 0, 0, 0, 3_600_000]);
    expect(state.penalty).toBeCloseTo(1, 9);
    expect(holdMs(state, 3_600_000)).toBe(0);
  });

  it('goes on holding when it falls again below the threshold while held', () => {
    const state = after([0, 0, 0, 80_000]);
    expect(state.penalty).toBeLessThan(3);
    expect(holdMs(state, 80_000)).toBeCloseTo(60_000 * Math.log2(state.penalty), 3);
  });

  const dampings = fc
    .record({
      halfLifeMs: fc.integer({ min: 1, max: 3_600_000 }),
      suppress: fc.double({ min: 1.1, max: 50, noNaN: true }),
      reuse: fc.double({ min: 0.01, max: 1, noNaN: true }),
      maxHoldMs: fc.integer({ min: 1, max: 7_200_000 }),
    })
    .filter(({ suppress, reuse }) => reuse < suppress);
  const times = fc
    .array(fc.integer({ min: 0, max: 10_000_000 }), { minLength: 1, maxLength: 200 })
    .map((unordered) => unordered.toSorted((a, b) => a - b));

  it('never holds beyond the maximum after the last fall, and is finite whatever comes', () => {
    fc.assert(
      fc.property(dampings, times, (with_, falls) => {
        const state = after(falls, with_);
        const last = falls.at(-1) ?? 0;
        expect(Number.isFinite(state.penalty)).toBe(true);
        expect(state.penalty).toBeGreaterThan(0);
        expect(holdMs(state, last)).toBeLessThanOrEqual(with_.maxHoldMs);
        expect(holdMs(state, last + with_.maxHoldMs)).toBe(0);
      }),
    );
  });

  it('a further fall never frees it sooner', () => {
    fc.assert(
      fc.property(dampings, times, fc.integer({ min: 0, max: 1_000_000 }), (with_, falls, later) => {
        const at = (falls.at(-1) ?? 0) + later;
        const state = after(falls, with_);
        const hold = holdMs(noteFall(with_, state, at), at);
        expect(hold).toBeGreaterThanOrEqual(holdMs(state, at) - 1e-6);
      }),
    );
  });
});
