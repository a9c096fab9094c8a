import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from './clock.js';
import { FakeClock } from './testing/index.js';

describe.each<[string, () => { clock: Clock; pass: (ms: number) => Promise<void> }]>([
  ['systemClock', () => ({ clock: systemClock, pass: (ms) => systemClock.sleep(ms) })],
  [
    'FakeClock',
    () => {
      const clock = new FakeClock();
      return { clock, pass: (ms) => clock.advance(ms) };
    },
  ],
])('%s', (_, make) => {
  it('fires timers in order, and not those that were cancelled', async () => {
    const { clock, pass } = make();
    const fired: string[] = [];
    clock.setTimeout(() => fired.push('second'), 10);
    clock.setTimeout(() => fired.push('first'), 1);
    const cancelled = clock.setTimeout(() => fired.push('never'), 5);
    cancelled.cancel();
    cancelled.cancel();
    await pass(40);
    expect(fired).toEqual(['first', 'second']);
    cancelled.cancel();
  });

  it('sleeps, and wakes with the reason of an abort', async () => {
    const { clock, pass } = make();
    const before = clock.monotonic();
    const slept = clock.sleep(10).then(() => clock.monotonic() - before);
    await pass(30);
    expect(await slept).toBeGreaterThanOrEqual(9);
    const stop = new AbortController();
    const sleeping = clock.sleep(60_000, stop.signal);
    stop.abort('enough');
    await expect(sleeping).rejects.toBe('enough');
    await expect(clock.sleep(0, stop.signal)).rejects.toBe('enough');
  });
});

describe('FakeClock', () => {
  it('runs timers that timers and promises set, within one advance', async () => {
    const clock = new FakeClock(1000);
    const at: number[] = [];
    const loop = async (): Promise<void> => {
      for (let n = 0; n < 3; n += 1) {
        await clock.sleep(10);
        at.push(clock.now());
      }
    };
    const done = loop();
    await clock.advance(25);
    expect({ at, pending: clock.pending, now: clock.now() }).toEqual({
      at: [1010, 1020],
      pending: 1,
      now: 1025,
    });
    await clock.advance(5);
    await done;
    expect(clock.pending).toBe(0);
  });

  it('fires timers of the same time in the order of their creation', async () => {
    const clock = new FakeClock();
    const fired: number[] = [];
    for (const n of [1, 2, 3]) clock.setTimeout(() => fired.push(n), 5);
    await clock.advance(5);
    expect(fired).toEqual([1, 2, 3]);
  });

  it('moves the wall clock alone', async () => {
    const clock = new FakeClock(1000);
    clock.jumpWallClock(-500);
    expect([clock.now(), clock.monotonic()]).toEqual([500, 0]);
    await clock.advance(10);
    expect([clock.now(), clock.monotonic()]).toEqual([510, 10]);
  });

  it('leaves no timer behind after an aborted sleep', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const sleeping = clock.sleep(10, stop.signal);
    stop.abort();
    await expect(sleeping).rejects.toThrow();
    expect(clock.pending).toBe(0);
  });
});
