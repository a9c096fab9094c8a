import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { areaPath, linear, linePath, nearest, shareTicks, ticksTo, timeTicks } from './scale.js';

describe('ticks', () => {
  it.each([
    [0, [0, 1]],
    [NaN, [0, 1]],
    [Infinity, [0, 1]],
    [1, [0, 0.25, 0.5, 0.75, 1]],
    [37, [0, 10, 20, 30, 40]],
    [0.003, [0, 0.001, 0.002, 0.003]],
    [820, [0, 250, 500, 750, 1000]],
  ])('up to %d are %j', (max, ticks) => expect(ticksTo(max)).toEqual(ticks));

  it('cover any number in few equal steps', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e12, noNaN: true }), (max) => {
        const ticks = ticksTo(max);
        expect(ticks.at(-1)).toBeGreaterThanOrEqual(max * (1 - 1e-9));
        expect(ticks.length).toBeLessThanOrEqual(5);
        expect(ticks.at(-2)).toBeLessThan(max);
      }),
    );
  });

  it('of shares begin at a round share below the lowest', () => {
    expect(shareTicks([])).toEqual([0.99, 0.995, 1]);
    expect(shareTicks([1, null, 0.97])).toEqual([0.95, 0.975, 1]);
    expect(shareTicks([0.1])).toEqual([0, 0.5, 1]);
  });

  it('of time are round moments', () => {
    expect(timeTicks(60_001, 660_000, 4)).toEqual([300_000, 600_000]);
    expect(timeTicks(0, 60_000, 6)).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
    expect(timeTicks(0, 3_600_000, 0).length).toBeLessThan(5);
  });
});

describe('paths', () => {
  it('have gaps, and a dot for a point that stands alone', () => {
    expect(linePath([[0, 1], [1.26, 2], null, [5, 5]])).toBe('M0 1L1.3 2M5 5h.01');
    expect(linePath([null, null])).toBe('');
    expect(areaPath([[0, 1], [2, 3], null, [4, 4]], 9)).toBe('M0 9L0 1L2 3L2 9Z');
  });

  it('map spans, empty ones to their middle', () => {
    expect(linear([0, 10], [100, 0])(2.5)).toBe(75);
    expect(linear([3, 3], [0, 10])(3)).toBe(5);
  });

  it('are pointed at where they are nearest', () => {
    expect(nearest([0, 10, 20], 14)).toBe(1);
    expect(nearest([], 3)).toBe(-1);
  });
});
