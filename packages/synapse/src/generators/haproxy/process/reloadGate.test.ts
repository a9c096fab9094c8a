import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { ReloadGate } from './reloadGate.js';
import type { ReloadReason } from '../types.js';

const why = (detail: string): readonly ReloadReason[] => [{ kind: 'lines-changed', detail }];

describe('ReloadGate', () => {
  it('lets the first reload through, and the next after the interval', async () => {
    const clock = new FakeClock();
    const gate = new ReloadGate({ clock, intervalMs: 2000, jitter: 0, random: () => 0 });
    expect(gate.waitMs(why('a'), 'f1')).toBe(0);
    gate.attempted(why('a'), 'f1');
    expect(gate.waitMs(why('b'), 'f2')).toBe(2000);
    await clock.advance(1500);
    expect(gate.waitMs(why('b'), 'f2')).toBe(500);
    await clock.advance(500);
    expect(gate.waitMs(why('b'), 'f2')).toBe(0);
  });

  it('adds at most the jitter', () => {
    const clock = new FakeClock();
    const gate = new ReloadGate({ clock, intervalMs: 2000, jitter: 0.5, random: () => 0.5 });
    gate.attempted(why('a'), 'f1');
    expect(gate.waitMs(why('b'), 'f2')).toBe(2500);
  });

  it('repeats a reload that changed nothing ever more rarely', async () => {
    const clock = new FakeClock();
    const gate = new ReloadGate({ clock, intervalMs: 0, jitter: 0, random: () => 0 });
    const waits: number[] = [];
    for (let attempt = 0; attempt < 10; attempt += 1) {
      gate.attempted(why('same'), 'file');
      waits.push(gate.waitMs(why('same'), 'file'));
      await clock.advance(waits.at(-1) ?? 0);
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    expect(gate.waitMs(why('other'), 'file')).toBe(0);
    gate.attempted(why('same'), 'file');
    expect(gate.waitMs(why('same'), 'other file')).toBe(0);
  });
});
