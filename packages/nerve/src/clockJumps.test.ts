import { describe, expect, it } from 'vitest';
import { lifecycleBed } from './testing/lifecycleBed.js';

const hourMs = 3_600_000;

/** Everything in which time passes: rounds, start-up grace, ramp, damping, rate limit. */
const keys = {
  checks: [{ type: 'noop' }],
  check_interval: 10,
  weight: 100,
  slow_start: { duration: 100, shape: 'linear' },
  startup_grace: 60,
  rate_limiting: { average_rate: 0.01, max_burst: 3, shadow_mode: false },
};

/** What the registry was told, and when by the clock that does not jump. */
async function history(jumpMs: number): Promise<readonly string[]> {
  const bed = await lifecycleBed(keys);
  const seen: string[] = [];
  let told = bed.log.length;
  let rounds: unknown;
  for (let second = 0; second < 200; second += 1) {
    if (second % 7 === 3) bed.clock.jumpWallClock(jumpMs);
    await bed.clock.advance(1_000);
    const { last } = bed.status()?.checks[0] ?? {};
    if (last !== rounds) seen.push(`${second} checked`);
    rounds = last;
    for (; told < bed.log.length; told += 1) seen.push(`${second} ${bed.log[told]}`);
    expect(bed.services.stuck).toEqual([]);
  }
  return seen;
}

describe('a wall clock that jumps', () => {
  it.each([
    ['forwards', hourMs],
    ['backwards', -hourMs],
    ['back before the epoch', -1e13],
  ])('%s again and again: checks, ramp and limits go on as if nothing were', async (_, jumpMs) => {
    const steady = await history(0);
    expect(steady.filter((line) => line.includes('checked')).length).toBeGreaterThan(15);
    expect(steady.filter((line) => line.includes('weight')).length).toBeGreaterThan(5);
    expect(await history(jumpMs)).toEqual(steady);
  });

  it('ends a drain when that clock says so: sooner or later, by its choice alone', async () => {
    const bed = await lifecycleBed({});
    const service = 'web';
    await bed.control.drain({ service }, { until: bed.clock.now() + hourMs });
    const drained = (): boolean => bed.status()?.drain !== undefined;
    const stop = new AbortController();
    bed.orders.run(stop.signal).catch(() => undefined);
    bed.clock.jumpWallClock(-hourMs);
    await bed.clock.advance(hourMs + 60_000);
    expect(drained()).toBe(true);
    bed.clock.jumpWallClock(hourMs);
    await bed.clock.advance(60_000);
    expect(drained()).toBe(false);
    expect(bed.made[0]?.published).toBeDefined();
    stop.abort();
  });
});
