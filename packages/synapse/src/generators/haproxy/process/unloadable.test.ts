import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { aServer, aService, aState } from '../testing/sections.js';
import { Unloadable } from './unloadable.js';

describe('sections that HAProxy could not load', () => {
  const broken = aState([aService([aServer('a')])]);
  const withOtherServers = aState([aService([aServer('a'), aServer('b')])]);
  const mended = aState([aService([aServer('a')], { lines: ['balance leastconn'] })]);

  it('wait ever longer, whatever becomes of their servers; others do not wait', async () => {
    const clock = new FakeClock();
    const unloadable = new Unloadable(clock, () => 0.999);
    expect(unloadable.waitMs(broken)).toBe(0);
    unloadable.note(broken);
    expect(unloadable.exists).toBe(true);
    const first = unloadable.waitMs(broken);
    expect(first).toBeGreaterThan(0);
    expect(unloadable.waitMs(withOtherServers)).toBe(first);
    expect(unloadable.waitMs(mended)).toBe(0);
    await clock.advance(first);
    expect(unloadable.waitMs(broken)).toBe(0);
    unloadable.note(withOtherServers);
    expect(unloadable.waitMs(broken)).toBeGreaterThan(first);
  });

  it('are forgotten when what is wanted is loaded', () => {
    const unloadable = new Unloadable(new FakeClock(), () => 0.5);
    unloadable.note(broken);
    unloadable.clear();
    expect(unloadable.exists).toBe(false);
    expect(unloadable.waitMs(broken)).toBe(0);
  });
});
