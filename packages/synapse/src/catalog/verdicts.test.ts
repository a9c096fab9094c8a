import type { Instance } from '@smartstack/registry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Catalog } from './catalog.js';
import type { CatalogRules } from './definition.js';
import type { Snapshot } from './types.js';
import { verdicts } from './verdicts.js';

const rules: CatalogRules = {
  defaultServers: [],
  keepDefaultServers: false,
  usePreviousBackends: true,
  leaderElection: false,
  labelFilters: [],
  blocks: {},
};
const one: Instance = { host: '10.0.0.1', port: 80, name: 'one', id: 1, labels: { zone: 'a' } };
const two: Instance = { host: '10.0.0.2', port: 80, name: 'two', id: 2, labels: { zone: 'b' } };
const live = (...instances: Instance[]): Snapshot => ({ status: 'live', instances });

const anInstance: fc.Arbitrary<Instance> = fc
  .record({
    host: fc.constantFrom('a', 'b', 'c'),
    port: fc.integer({ min: 1, max: 2 }),
    id: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
    zone: fc.constantFrom('x', 'y', undefined),
    available: fc.constantFrom(false, undefined, undefined),
    held: fc.constantFrom(true, undefined, undefined),
  })
  .map(({ host, port, id, zone, available, held }) => ({
    ...{ host, port },
    ...(id !== undefined && { id }),
    ...(zone !== undefined && { labels: { zone } }),
    ...(available === false && { available }),
    ...(held && { held }),
  }));
const instances = fc.array(anInstance, { maxLength: 5 });
const snapshots: fc.Arbitrary<Snapshot> = fc.oneof(
  fc.constant<Snapshot>({ status: 'pending' }),
  fc.record({ status: fc.constantFrom('live', 'stale'), instances }),
);
const someRules: fc.Arbitrary<CatalogRules> = fc
  .record({
    // One that is listed twice is one server in the end; the catalog leaves that to the generators.
    defaultServers: fc.uniqueArray(
      anInstance.map(({ host, port }) => ({ host, port })),
      { maxLength: 3, selector: ({ host, port }) => `${host}:${port}` },
    ),
    keepDefaultServers: fc.boolean(),
    usePreviousBackends: fc.boolean(),
    leaderElection: fc.boolean(),
    backendPortOverride: fc.constantFrom(7, undefined),
    filtered: fc.boolean(),
  })
  .map(({ backendPortOverride: port, filtered, ...some }) => ({
    ...{ ...rules, ...some },
    ...(port !== undefined && { backendPortOverride: port }),
    labelFilters: filtered ? [{ label: 'zone', value: 'x', condition: 'equals' }] : [],
  }));

describe('verdicts', () => {
  it('let pass exactly the instances that generators see, whatever the source and the rules', () => {
    fc.assert(
      fc.property(fc.array(snapshots, { minLength: 1, maxLength: 3 }), someRules, (told, some) => {
        const catalog = new Catalog();
        catalog.define(new Map([['web', some]]), 0, 0);
        for (const snapshot of told) catalog.update('web', snapshot, 0);
        const seen = catalog.read(0).view.services[0];
        const { snapshot, known } = catalog.ingredients('web')!;
        const { source, all } = verdicts(snapshot, known, some);
        const passing = all.filter(({ leftOut }) => leftOut === undefined).map(({ instance }) => instance);
        expect(passing).toEqual(seen?.instances);
        expect(source).toBe(seen?.source);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['a filter', live(one, two), { labelFilters: [{ label: 'zone', value: 'a', condition: 'equals' }] }],
    ['a leader', live(one, two), { leaderElection: true }],
    ['its registrar', live(one, { ...two, available: false }), {}],
    ['a double', live(one, { ...one, id: 9 }), {}],
  ] as const)('say that it was %s', (what, snapshot, some) => {
    const { all } = verdicts(snapshot, [], { ...rules, ...some });
    const reasons = {
      'a filter': 'label_filters: zone is "b" and has to be "a"',
      'a leader': 'leader_election: 10.0.0.1:80 leads, with the id 1',
      'its registrar': 'its registrar says that it takes no requests (available: false)',
      'a double': 'it is registered twice; the first counts',
    };
    expect(all.map(({ leftOut }) => leftOut)).toEqual([undefined, reasons[what]]);
  });

  it('say why nobody leads', () => {
    const nameless = { host: '10.0.0.2', port: 80 };
    const { all } = verdicts(live(one, nameless), [], { ...rules, leaderElection: true });
    expect(all.map(({ leftOut }) => leftOut)).toEqual([
      'leader_election: nobody leads (an instance has no id)',
      'leader_election: nobody leads (an instance has no id)',
    ]);
  });
});
