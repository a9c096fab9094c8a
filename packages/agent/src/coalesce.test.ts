import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Coalescer, type CoalescerOptions } from './coalesce.js';
import { FakeClock } from './testing/index.js';

/** A coalescer at work: `starts` are the times at which its handler was called. */
function working(options: Omit<CoalescerOptions, 'clock'>, handlerMs = 0) {
  const clock = new FakeClock();
  const coalescer = new Coalescer({ clock, ...options });
  const stop = new AbortController();
  const starts: number[] = [];
  let active = 0;
  const done = coalescer.run(async (signal) => {
    active += 1;
    expect(active).toBe(1);
    starts.push(clock.monotonic());
    if (handlerMs > 0) await clock.sleep(handlerMs, signal).catch(() => undefined);
    active -= 1;
  }, stop.signal);
  return { clock, coalescer, stop, starts, done };
}

describe('Coalescer', () => {
  it('acts at once after a quiet time, then holds off', async () => {
    const { clock, coalescer, starts } = working({ quietMs: 100, maxMs: 1000 });
    coalescer.trigger();
    await clock.advance(10);
    coalescer.trigger();
    await clock.advance(50);
    coalescer.trigger();
    await clock.advance(500);
    expect(starts).toEqual([0, 160]);
    coalescer.trigger();
    await clock.advance(1);
    expect(starts).toEqual([0, 160, 560]);
  });

  it('acts at once when it is told to', async () => {
    const { clock, coalescer, starts } = working({ quietMs: 100, maxMs: 1000 });
    coalescer.trigger();
    await clock.advance(10);
    coalescer.trigger();
    await clock.advance(10);
    coalescer.trigger({ atOnce: true });
    await clock.advance(0);
    expect(starts).toEqual([0, 20]);
  });

  it('acts within the maximum under triggers that never pause', async () => {
    const { clock, coalescer, starts } = working({ quietMs: 100, maxMs: 300 });
    for (let n = 0; n < 100; n += 1) {
      coalescer.trigger();
      await clock.advance(10);
    }
    expect(starts).toEqual([0, 310, 610, 910]);
  });

  it('waits for the quiet time where it is told not to act at once', async () => {
    const { clock, coalescer, starts } = working({ quietMs: 100, maxMs: 1000, immediate: false });
    coalescer.trigger();
    await clock.advance(99);
    expect(starts).toEqual([]);
    await clock.advance(1);
    expect(starts).toEqual([100]);
  });

  it('runs once more for triggers during the handler', async () => {
    const { clock, coalescer, starts } = working({ quietMs: 10, maxMs: 50 }, 200);
    coalescer.trigger();
    await clock.advance(100);
    coalescer.trigger();
    coalescer.trigger();
    await clock.advance(1000);
    expect(starts).toEqual([0, 200]);
  });

  it('keeps a trigger from before it runs, and stops promptly with no timer left', async () => {
    const clock = new FakeClock();
    const coalescer = new Coalescer({ clock, quietMs: 10, maxMs: 10 });
    coalescer.trigger();
    const stop = new AbortController();
    let runs = 0;
    const done = coalescer.run(() => Promise.resolve(void (runs += 1)), stop.signal);
    await clock.advance(0);
    expect(runs).toBe(1);
    coalescer.trigger();
    await clock.advance(5);
    stop.abort();
    await done;
    expect({ runs, pending: clock.pending }).toEqual({ runs: 1, pending: 0 });
    await coalescer.run(() => Promise.resolve(), stop.signal);
  });

  it('passes on what the handler throws, and can run again', async () => {
    const clock = new FakeClock();
    const coalescer = new Coalescer({ clock, quietMs: 0, maxMs: 0 });
    const stop = new AbortController();
    coalescer.trigger();
    await expect(coalescer.run(() => Promise.reject(new Error('no')), stop.signal)).rejects.toThrow('no');
    coalescer.trigger();
    const second = coalescer.run(async () => stop.abort(), stop.signal);
    await expect(coalescer.run(() => Promise.resolve(), stop.signal)).rejects.toThrow('only once');
    await second;
  });

  it('refuses bounds that cannot work', () => {
    const clock = new FakeClock();
    for (const [quietMs, maxMs] of [
      [-1, 0],
      [10, 5],
      [NaN, 1],
      [1, NaN],
    ] as const) {
      expect(() => new Coalescer({ clock, quietMs, maxMs })).toThrow(RangeError);
    }
  });

  it('loses no last trigger, is never late, and bounds its rate', async () => {
    const scenario = fc.record({
      quietMs: fc.integer({ min: 0, max: 50 }),
      extraMs: fc.integer({ min: 0, max: 100 }),
      handlerMs: fc.integer({ min: 0, max: 80 }),
      immediate: fc.boolean(),
      gaps: fc.array(fc.integer({ min: 0, max: 70 }), { maxLength: 30 }),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ quietMs, extraMs, handlerMs, immediate, gaps }) => {
        const maxMs = quietMs + extraMs;
        const { clock, coalescer, starts, stop, done } = working({ quietMs, maxMs, immediate }, handlerMs);
        const triggers: number[] = [];
        for (const gap of gaps) {
          await clock.advance(gap);
          triggers.push(clock.monotonic());
          coalescer.trigger();
        }
        await clock.advance(10_000);
        stop.abort();
        await done;
        for (const trigger of triggers) {
          const handled = starts.find((start) => start >= trigger);
          // At the latest after the maximum, or when the handler that ran by then had finished.
          expect(handled).toBeLessThanOrEqual(trigger + maxMs + handlerMs);
        }
        for (const [index, start] of starts.slice(1).entries()) {
          expect(start - (starts[index] ?? 0)).toBeGreaterThanOrEqual(Math.max(quietMs, handlerMs));
        }
        expect(starts.length).toBeLessThanOrEqual(triggers.length);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
