import type { Instance } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';

import { Arrivals } from './arrivals.js';
import type { Snapshot } from './types.js';

const instance = (last: number, more: Partial<Instance> = {}): Instance => ({
  ...{ host: `10.0.0.${last}`, port: 80, name: `i-${last}` },
  ...more,
});
const live = (...instances: Instance[]): Snapshot => ({ status: 'live', instances });

describe('Arrivals', () => {
  it('know since when an instance is told, and when it changed', () => {
    const arrivals = new Arrivals();
    const [a, b] = [instance(1), instance(2)];
    arrivals.note(live(a), 100);
    arrivals.note(live(a, b), 200);
    const heavier = { ...a, weight: 5 };
    arrivals.note(live(heavier, b), 300);
    expect(arrivals.of(heavier)).toEqual({ since: 100, changedAt: 300 });
    expect(arrivals.of(b)).toEqual({ since: 200, changedAt: 200 });
    expect(arrivals.departed).toEqual([]);
  });

  it('remember those that left, until they are back', () => {
    const arrivals = new Arrivals();
    const [a, b] = [instance(1), instance(2)];
    arrivals.note(live(a, b), 100);
    arrivals.note(live(b), 200);
    expect(arrivals.departed).toEqual([{ instance: a, at: 200 }]);
    const again = instance(1);
    arrivals.note(live(again, b), 300);
    expect(arrivals.departed).toEqual([]);
    expect(arrivals.of(again)).toEqual({ since: 300, changedAt: 300 });
  });

  it('take a source that has told nothing for no news', () => {
    const arrivals = new Arrivals();
    const a = instance(1);
    arrivals.note(live(a), 100);
    arrivals.note({ status: 'pending' }, 200);
    expect(arrivals.of(a)).toEqual({ since: 100, changedAt: 100 });
    expect(arrivals.departed).toEqual([]);
  });

  it('remember the latest hundred of all that ever left', () => {
    const arrivals = new Arrivals();
    for (let n = 0; n < 1_000; n += 1) arrivals.note(live({ host: 'h', port: 1 + n }), n);
    expect(arrivals.departed).toHaveLength(100);
    expect(arrivals.departed.at(-1)?.instance.port).toBe(999);
  });
});
