import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { Pace } from './pace.js';

describe('Pace', () => {
  it('is due at once, then after the interval or as long as its share asks for', async () => {
    const clock = new FakeClock();
    const pace = new Pace(clock, 2_000, 0.005);
    expect(pace.isDue).toBe(true);
    pace.took(5);
    await clock.advance(1_999);
    expect(pace.isDue).toBe(false);
    await clock.advance(1);
    expect(pace.isDue).toBe(true);
    pace.took(400);
    await clock.advance(2_000);
    expect(pace.isDue, 'after one time alone').toBe(true);
    pace.wasIncluded();
    await clock.advance(2_000);
    expect(pace.isDue, 'after it cost nothing').toBe(true);
    pace.took(500);
    await clock.advance(79_999);
    expect(pace.isDue).toBe(false);
    await clock.advance(1);
    expect(pace.isDue).toBe(true);
  });
});
