import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { latencyBuckets } from './latency.js';
import type { Gain } from './types.js';
import { TrafficWindow } from './window.js';

const slotMs = 10_000;
const gain = (requests: number, more: Partial<Gain> = {}): Gain => ({
  ...{ requests, success: requests, failure: 0, aborted: 0, bytesIn: 0, bytesOut: 0, retries: 0 },
  ...{ redispatches: 0, connectErrors: 0, responseErrors: 0, clientAborts: 0, ...more },
});
const windowOf = (maxChunks = 1000, spanMs = 3_600_000): TrafficWindow =>
  new TrafficWindow({ slotMs, spanMs, maxChunks });

describe('the window', () => {
  it('keeps what was noted, by slot and in all', () => {
    const all = fc.array(
      fc.record({ afterMs: fc.integer({ min: 0, max: 25_000 }), requests: fc.nat({ max: 1e6 }) }),
      {
        maxLength: 100,
      },
    );
    fc.assert(
      fc.property(all, (notes) => {
        const window = windowOf();
        let now = 5_000;
        for (const { afterMs, requests } of notes) {
          now += afterMs;
          window.note('web', now, { gain: gain(requests, { bytesOut: requests * 1e6 }) });
        }
        const total = notes.reduce((sum, { requests }) => sum + requests, 0);
        const sums = window.sum('web', 0, now + 1);
        expect([sums.requests, sums.bytesOut]).toEqual([total, total * 1e6]);
        const slots = window.slots('web', 0, now + 1);
        expect(slots.reduce((sum, { sums: { requests } }) => sum + requests, 0)).toBe(total);
        expect(slots.map(({ atMs }) => atMs)).toEqual(slots.map((_, index) => index * slotMs));
      }),
    );
  });

  it('answers for a span, to the bounds of slots', () => {
    const window = windowOf();
    for (const [at, requests] of [
      [1_000, 1],
      [11_000, 10],
      [21_000, 100],
    ] as const)
      window.note('web', at, { gain: gain(requests), open: requests });
    expect(window.sum('web', 10_000, 20_000).requests).toBe(10);
    expect(window.sum('web', 12_000, 20_001).requests).toBe(110);
    expect(window.bounds(12_000, 20_001)).toEqual([10_000, 30_000]);
    expect(window.sum('web', 0, 30_000).open).toBe(100);
    expect(window.sum('other', 0, 30_000)).toMatchObject({ requests: 0, open: 0, meanDurationMs: undefined });
  });

  it('adds latencies, and weighs durations by how many began', () => {
    const window = windowOf();
    const latencies = Array.from({ length: latencyBuckets }, (_, bucket) => bucket);
    window.note('web', 0, { latencies, gain: gain(1), meanDurationMs: 100 });
    window.note('web', 10_000, { latencies, gain: gain(3), meanDurationMs: 20 });
    const sums = window.sum('web', 0, 20_000);
    expect(sums.latencies).toEqual(latencies.map((count) => 2 * count));
    expect(sums.meanDurationMs).toBe(40);
  });

  it('forgets what is older than its span', () => {
    const window = windowOf(1000, 600_000);
    for (let at = 0; at <= 1_200_000; at += slotMs) window.note('web', at, { gain: gain(1) });
    expect(window.sum('web', 0, 1_200_001).requests).toBe(60 + 1);
    expect(window.chunks).toBeLessThanOrEqual(6);
    expect(window.droppedUntilMs).toBeGreaterThan(0);
    expect(window.droppedUntilMs).toBeLessThanOrEqual(600_000);
  });

  it('never keeps more than it may, and drops the oldest of all series first', () => {
    const window = windowOf(20);
    const series = Array.from({ length: 10 }, (_, index) => `s${index}`);
    for (let at = 0; at < 600_000; at += slotMs)
      for (const each of series) window.note(each, at, { gain: gain(1) });
    expect(window.chunks).toBe(20);
    expect(window.droppedUntilMs).toBe(360_000);
    for (const each of series) expect(window.sum(each, 0, 600_000).requests).toBe(24);
    // What is busy now is kept in any case.
    const tiny = windowOf(2);
    for (const each of series) tiny.note(each, 0, { gain: gain(1) });
    expect(tiny.chunks).toBe(10);
    window.forget('s0');
    expect([window.chunks, window.sum('s0', 0, 600_000).requests]).toEqual([18, 0]);
  });

  it('takes no memory for series that are idle', () => {
    const window = windowOf();
    window.note('web', 0, { gain: gain(1) });
    window.note('web', 3_000_000, { gain: gain(1) });
    expect(window.chunks).toBe(2);
  });
});
