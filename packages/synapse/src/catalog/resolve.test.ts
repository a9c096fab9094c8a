import type { Instance } from '@smartstack/registry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { CatalogRules } from './definition.js';
import { maxInstances } from './limit.js';
import { applyFallback, mergeBlocks, rememberKnown, selectInstances } from './resolve.js';
import type { Snapshot } from './types.js';

const rules: CatalogRules = {
  defaultServers: [],
  keepDefaultServers: false,
  usePreviousBackends: true,
  leaderElection: false,
  labelFilters: [],
  blocks: {},
};
const one: Instance = { host: '10.0.0.1', port: 80, name: 'one' };
const spare: Instance = { host: '10.0.0.9', port: 80, name: 'spare' };
const live = (...instances: Instance[]): Snapshot => ({ status: 'live', instances });

const instances = fc.array(
  fc.record({ host: fc.constantFrom('a', 'b', 'c'), port: fc.integer({ min: 1, max: 3 }) }),
  { maxLength: 4 },
);
const snapshots: fc.Arbitrary<Snapshot> = fc.oneof(
  fc.constant<Snapshot>({ status: 'pending' }),
  fc.record({ status: fc.constantFrom('live', 'stale'), instances }),
);
const someRules: fc.Arbitrary<CatalogRules> = fc
  .record({
    defaultServers: instances,
    keepDefaultServers: fc.boolean(),
    usePreviousBackends: fc.boolean(),
  })
  .map((some) => ({ ...rules, ...some }));

describe('applyFallback', () => {
  it.each([
    ['live instances', live(one), rules, 'live', [one]],
    ['a lost source', { status: 'stale', instances: [one] }, rules, 'stale', [one]],
    ['empty, previous known', live(), rules, 'previous', [spare]],
    ['empty, default servers first', live(), { ...rules, defaultServers: [one] }, 'default', [one]],
    ['empty, told to drop', live(), { ...rules, usePreviousBackends: false }, 'live', []],
    ['nothing known', { status: 'pending' }, rules, 'pending', []],
    ['nothing known, defaults', { status: 'pending' }, { ...rules, defaultServers: [one] }, 'pending', [one]],
    [
      'empty, defaults always kept',
      live(),
      { ...rules, defaultServers: [one], keepDefaultServers: true },
      'live',
      [one],
    ],
  ] as const)('%s', (_, snapshot, these, source, expected) => {
    expect(applyFallback(snapshot, [spare], these)).toEqual({ source, instances: expected });
  });

  it('default servers that stand in keep their own port', () => {
    const some = { ...rules, defaultServers: [spare], backendPortOverride: 7 };
    expect(applyFallback(live(), [], some).instances).toEqual([spare]);
    expect(applyFallback(live(), [one], { ...some, defaultServers: [] }).instances).toEqual([
      { ...one, port: 7 },
    ]);
  });

  it('never empties a service that ever had instances, unless told to', () => {
    fc.assert(
      fc.property(fc.array(snapshots), someRules, (history, some) => {
        let known: readonly Instance[] = [];
        let had = false;
        for (const snapshot of history) {
          known = rememberKnown(known, snapshot);
          const result = applyFallback(snapshot, known, some);
          if (snapshot.status === 'pending') continue;
          had ||= snapshot.instances.length > 0;
          const standIn = some.defaultServers.length > 0 || (some.usePreviousBackends && had);
          if (standIn) expect(result.instances).not.toEqual([]);
        }
      }),
    );
  });

  it('losing the source changes nothing but the status', () => {
    fc.assert(
      fc.property(instances, instances, someRules, (told, known, some) => {
        const before = applyFallback({ status: 'live', instances: told }, known, some);
        const after = applyFallback({ status: 'stale', instances: told }, known, some);
        expect(after.instances).toEqual(before.instances);
      }),
    );
  });

  it('a source that has instances is never overruled', () => {
    fc.assert(
      fc.property(instances, instances, someRules, (told, known, some) => {
        fc.pre(told.length > 0);
        const { instances: result } = applyFallback({ status: 'live', instances: told }, known, some);
        for (const instance of told) expect(result).toContainEqual(instance);
      }),
    );
  });
});

describe('selectInstances', () => {
  it('applies filters before it elects', () => {
    const labelled = { ...one, id: 1, labels: { az: 'a' } };
    const other = { ...spare, id: 2, labels: { az: 'b' } };
    const labelFilters = [{ label: 'az', value: 'b', condition: 'equals' } as const];
    expect(selectInstances([labelled, other], { leaderElection: true, labelFilters })).toEqual({
      instances: [other],
    });
  });

  it('takes no more than a service can have of those that pass the filters, always the same ones', () => {
    const many = Array.from({ length: maxInstances + 2_000 }, (_, port): Instance => {
      const wanted = port >= maxInstances - 500;
      return { host: '10.0.0.1', port: port + 1, labels: { az: wanted ? 'b' : 'a' } };
    });
    const labelFilters = [{ label: 'az', value: 'b', condition: 'equals' } as const];
    const filtered = selectInstances(many, { leaderElection: false, labelFilters });
    expect([filtered.instances.length, filtered.leftOut]).toEqual([2_500, 0]);
    const all = selectInstances(many, { leaderElection: false, labelFilters: [] });
    expect([all.instances.length, all.leftOut]).toEqual([maxInstances, 2_000]);
    const turned = selectInstances(many.toReversed(), { leaderElection: false, labelFilters: [] });
    expect(new Set(turned.instances)).toEqual(new Set(all.instances));
  });

  it('says why nobody leads', () => {
    expect(selectInstances([one], { leaderElection: true, labelFilters: [] })).toEqual({
      instances: [],
      noLeader: 'an instance has no id',
    });
  });
});

describe('mergeBlocks', () => {
  it('lays the source over the local block and keeps generators that it does not name (trap 18)', () => {
    const local = { haproxy: { port: 1, listen: ['mode tcp'] }, file_output: {} };
    expect(mergeBlocks(local, { haproxy: { port: 2 } })).toEqual({
      haproxy: { port: 2, listen: ['mode tcp'] },
      file_output: {},
    });
  });

  it('cannot be made to change a prototype', () => {
    const told = JSON.parse('{"__proto__": {"haproxy": {"port": 666}}}') as Record<string, unknown>;
    const merged = mergeBlocks({ file_output: {} }, told);
    expect(merged.haproxy).toBeUndefined();
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
  });
});
