import type { Instance } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';

import {
  afterSnapshot,
  afterTime,
  heldInstances,
  type Losses,
  type MassLossRules,
  nextRelease,
  noLosses,
} from './massLoss.js';

const rules: MassLossRules = {
  share: 0.5,
  minimum: 3,
  windowMs: 10_000,
  holdMs: 300_000,
  keepsPrevious: true,
};

const instances = (...ids: readonly number[]): readonly Instance[] =>
  ids.map((id) => ({ host: `10.0.0.${id}`, port: 80, name: `i-${id}`, weight: 1 }));

/** Snapshots in turn, each `[at, instances]`. */
function told(
  steps: readonly (readonly [number, readonly Instance[]])[],
  inForce: MassLossRules = rules,
): Losses {
  return steps.reduce((losses, [at, those]) => afterSnapshot(losses, those, at, inForce), noLosses);
}

const held = (losses: Losses): readonly string[] => heldInstances(losses).map(({ host }) => host.slice(7));

describe('losses', () => {
  it('that are half of a service or less are believed', () => {
    expect(
      held(
        told([
          [0, instances(1, 2, 3, 4, 5, 6)],
          [1, instances(1, 2, 3)],
        ]),
      ),
    ).toEqual([]);
  });

  it('of more than the share are held, marked, until their time is over', () => {
    const losses = told([
      [0, instances(1, 2, 3, 4)],
      [1_000, instances(1)],
    ]);
    expect(held(losses)).toEqual(['2', '3', '4']);
    expect(heldInstances(losses).every((instance) => instance.held)).toBe(true);
    expect(nextRelease(losses)).toBe(301_000);
    expect(held(afterTime(losses, 300_999, rules))).toEqual(['2', '3', '4']);
    expect(held(afterTime(losses, 301_000, rules))).toEqual([]);
  });

  it('of fewer instances than the minimum are believed, whatever their share', () => {
    expect(
      held(
        told([
          [0, instances(1, 2, 3)],
          [1, instances(1)],
        ]),
      ),
    ).toEqual([]);
  });

  it('that come one after the other within the window are one loss: the first are taken back', () => {
    const one = told([
      [0, instances(1, 2, 3, 4)],
      [1_000, instances(1, 2, 3)],
      [5_000, instances(1, 2)],
    ]);
    expect(held(one)).toEqual([]);
    expect(held(afterSnapshot(one, instances(1), 9_000, rules))).toEqual(['4', '3', '2']);
  });

  it('that are spread over more than the window are believed', () => {
    const losses = told([
      [0, instances(1, 2, 3, 4)],
      [1_000, instances(1, 2, 3)],
      [12_000, instances(1, 2)],
      [23_000, instances(1)],
    ]);
    expect(held(losses)).toEqual([]);
  });

  it('are over for whoever returns, by address, with whatever name and number', () => {
    const losses = told([
      [0, instances(1, 2, 3, 4)],
      [1, instances(1)],
      [2, [...instances(1), { host: '10.0.0.3', port: 80, name: 'renamed', id: 99 }]],
    ]);
    expect(held(losses)).toEqual(['2', '4']);
  });

  it('do not grow once most have returned', () => {
    const losses = told([
      [0, instances(1, 2, 3, 4, 5, 6, 7, 8)],
      [1, instances(1)],
      [2, instances(1, 2, 3, 4, 5, 6, 7)],
      // One more goes, as one does.
      [20_000, instances(1, 2, 3, 4, 5, 6)],
    ]);
    expect(held(losses)).toEqual(['8']);
  });

  it('of a rolling restart, where each comes back before the next goes, are none', () => {
    const all = [1, 2, 3, 4, 5];
    const steps = all.flatMap((gone, at): [number, readonly Instance[]][] => [
      [at * 2_000, instances(...all.filter((id) => id !== gone))],
      [at * 2_000 + 1_000, instances(...all)],
    ]);
    expect(held(told([[0, instances(...all)], ...steps]))).toEqual([]);
  });

  it('of instances that come and go, each on another port, are none', () => {
    const steps = [10, 11, 12, 13, 14, 15].flatMap((id, at): [number, readonly Instance[]][] => [
      [at * 100 + 10, instances(1, 2, id)],
      [at * 100 + 50, instances(1, 2)],
    ]);
    expect(held(told([[0, instances(1, 2)], ...steps]))).toEqual([]);
  });

  it('of a service that moves to other ports, one instance at a time, are none', () => {
    const steps = [1, 2, 3, 4].map((count): [number, readonly Instance[]] => [
      count * 500,
      instances(...[1, 2, 3, 4].slice(count), ...[11, 12, 13, 14].slice(0, count)),
    ]);
    expect(held(told([[0, instances(1, 2, 3, 4)], ...steps]))).toEqual([]);
  });

  it('of a replacement of all by others registered before are half at most', () => {
    expect(
      held(
        told([
          [0, instances(1, 2, 3, 4)],
          [1, instances(1, 2, 3, 4, 5, 6, 7, 8)],
          [2, instances(5, 6, 7, 8)],
        ]),
      ),
    ).toEqual([]);
  });

  it('that were announced with a weight of 0 are none', () => {
    const drained = instances(2, 3, 4).map((instance) => ({ ...instance, weight: 0 }));
    expect(
      held(
        told([
          [0, [...instances(1), ...drained]],
          [1, instances(1)],
        ]),
      ),
    ).toEqual([]);
  });

  it('of everything are held without a limit while nothing is left, and for their time from the first return on', () => {
    const empty = told([
      [0, instances(1, 2, 3, 4)],
      [1_000, []],
    ]);
    expect(nextRelease(empty)).toBeUndefined();
    const later = afterSnapshot(afterTime(empty, 9_000_000, rules), instances(1), 9_000_000, rules);
    expect(held(later)).toEqual(['2', '3', '4']);
    expect(nextRelease(later)).toBe(9_300_000);
    // And when most return at once, the rest have their time, too.
    const most = afterSnapshot(empty, instances(1, 2, 3), 9_000_000, rules);
    expect(held(most)).toEqual(['4']);
    expect(nextRelease(most)).toBe(9_300_000);
  });

  it('of everything end with their time where the last known are not to stay', () => {
    const losses = told(
      [
        [0, instances(1, 2, 3, 4)],
        [1_000, []],
      ],
      { ...rules, keepsPrevious: false },
    );
    expect(held(losses)).toHaveLength(4);
    expect(nextRelease(losses)).toBe(301_000);
  });

  it('keep the very same values from snapshot to snapshot, which whoever compares can tell at a glance', () => {
    const first = told([
      [0, instances(1, 2, 3, 4)],
      [1, instances(1)],
    ]);
    const second = afterSnapshot(first, instances(1), 2, rules);
    expect(heldInstances(second)[0]).toBe(heldInstances(first)[0]);
  });

  it.each([7, 42, 2026])('never hold what is present, nor for longer than the time (history %i)', (seed) => {
    let state = seed;
    const random = (): number => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
    let losses = noLosses;
    const lastSeen = new Map<string, number>();
    for (let now = 0; now < 3_000_000; now += Math.ceil(random() * 20_000)) {
      const share = random();
      const ids = Array.from({ length: 20 }, (_, id) => id).filter(() => random() < share);
      const those = instances(...ids);
      losses = afterSnapshot(losses, those, now, { ...rules, keepsPrevious: false });
      for (const { host } of those) lastSeen.set(host, now);
      const present = new Set(those.map(({ host }) => host));
      for (const { host } of heldInstances(losses)) {
        expect(present.has(host)).toBe(false);
        // The window before it counted as a mass loss, then its time, then the time until somebody looked.
        expect(now - (lastSeen.get(host) ?? -Infinity)).toBeLessThan(10_000 + 300_000 + 20_001);
      }
    }
    expect(lastSeen.size).toBe(20);
  });
});
