import { describe, expect, it } from 'vitest';
import { followJumps } from './clockJumps.js';
import { FakeClock } from './testing/index.js';

function setUp() {
  const clock = new FakeClock();
  const jumps: number[] = [];
  const stop = followJumps(clock, (byMs) => jumps.push(byMs));
  return { clock, jumps, stop };
}

describe('followJumps', () => {
  it('tells of each jump within half a second, once', async () => {
    const { clock, jumps } = setUp();
    await clock.advance(60_000);
    expect(jumps).toEqual([]);
    clock.jumpWallClock(3_600_000);
    await clock.advance(500);
    expect(jumps).toEqual([3_600_000]);
    await clock.advance(60_000);
    clock.jumpWallClock(-7_200_000);
    await clock.advance(500);
    expect(jumps).toEqual([3_600_000, -7_200_000]);
    await clock.advance(60_000);
    expect(jumps).toHaveLength(2);
  });

  it('adds little steps up', async () => {
    const { clock, jumps } = setUp();
    for (let step = 0; step < 11; step += 1) {
      clock.jumpWallClock(50);
      await clock.advance(1_000);
    }
    expect(jumps).toEqual([550]);
  });

  it('leaves no timer when it is stopped, also by whom it tells', async () => {
    const { clock, jumps, stop } = setUp();
    stop();
    clock.jumpWallClock(10_000);
    await clock.advance(10_000);
    expect([clock.pending, jumps]).toEqual([0, []]);
    const stopFirst = followJumps(clock, () => stopFirst());
    clock.jumpWallClock(10_000);
    await clock.advance(10_000);
    expect(clock.pending).toBe(0);
  });
});
