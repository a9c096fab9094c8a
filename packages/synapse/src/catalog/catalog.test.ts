import type { Instance } from '@smartstack/registry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Catalog } from './catalog.js';
import type { CatalogRules } from './definition.js';
import type { Snapshot } from './types.js';

const rules: CatalogRules = {
  defaultServers: [],
  keepDefaultServers: false,
  usePreviousBackends: true,
  leaderElection: false,
  labelFilters: [],
  blocks: { haproxy: { port: 1 } },
};
const one: Instance = { host: '10.0.0.1', port: 80 };
const live = (...instances: Instance[]): Snapshot => ({ status: 'live', instances });
const services = (...names: string[]) => new Map(names.map((name) => [name, rules]));
const names = (catalog: Catalog, now: number) => catalog.read(now).view.services.map(({ name }) => name);

function catalogOf(...defined: string[]): Catalog {
  const catalog = new Catalog();
  catalog.define(services(...defined), 0, 1000);
  return catalog;
}

describe('Catalog', () => {
  it('keeps the order of the configuration', () => {
    const catalog = catalogOf('b', 'a', '10', '9');
    for (const name of ['9', 'a', '10', 'b']) catalog.update(name, live(one), 1);
    expect(names(catalog, 1)).toEqual(['b', 'a', '10', '9']);
  });

  it('hands on the very same blocks while a registry tells equal ones, however often it is read', () => {
    const catalog = catalogOf('a');
    const blocks = (port: number, ...instances: Instance[]) => {
      const generatorConfig = { haproxy: { mode: 'http', port } };
      catalog.update('a', { status: 'live', instances, generatorConfig }, 1);
      return catalog.read(1).view.services[0]!.blocks;
    };
    const first = blocks(2);
    expect(first).toEqual({ haproxy: { mode: 'http', port: 2 } });
    expect(blocks(2, one)).toBe(first);
    expect(blocks(3, one)).toEqual({ haproxy: { mode: 'http', port: 3 } });
    const back = blocks(2);
    expect(back).toEqual(first);
    catalog.define(
      new Map([['a', { ...rules, blocks: { haproxy: { mode: 'tcp', server_options: 'check' } } }]]),
      2,
      3,
    );
    expect(blocks(2, one)).toEqual({ haproxy: { mode: 'http', server_options: 'check', port: 2 } });
  });

  it('waits for pending services, but not for ever', () => {
    const catalog = catalogOf('a', 'b');
    catalog.update('a', live(one), 10);
    expect(catalog.read(10)).toMatchObject({ waiting: ['b'], againInMs: 990 });
    const late = catalog.read(1000);
    expect(late).toMatchObject({ waiting: [], againInMs: undefined });
    expect(late.view.services.map(({ source }) => source)).toEqual(['live', 'pending']);
  });

  it('leaves a new service out until it spoke, and the others in', () => {
    const catalog = catalogOf('a');
    catalog.update('a', live(one), 1);
    catalog.introduce(catalog.read(1).view);
    catalog.define(services('a', 'b'), 5000, 6000);
    expect(names(catalog, 5000)).toEqual(['a']);
    catalog.update('b', live(), 5001);
    expect(names(catalog, 5001)).toEqual(['a', 'b']);
  });

  it('takes nothing from a service whose file was bad and is good again, until it spoke', () => {
    const catalog = new Catalog();
    catalog.define(services('a'), 0, 1000, ['b']);
    catalog.update('a', live(one), 1);
    catalog.introduce(catalog.read(1).view);
    expect(catalog.read(1).view.unreadable).toEqual(['b']);
    catalog.define(services('a', 'b'), 2000, 3000);
    expect(catalog.read(2000)).toMatchObject({ waiting: ['b'], view: { unreadable: ['b'] } });
    expect(names(catalog, 2000)).toEqual(['a']);
    catalog.define(services('a', 'b', 'c'), 2001, 3001, ['d']);
    expect(catalog.read(2001).view.unreadable).toEqual(['d', 'b']);
    catalog.update('b', live(one), 2002);
    expect(names(catalog, 2002)).toEqual(['a', 'b']);
    expect(catalog.read(2002).view.unreadable).toEqual(['d']);
    catalog.define(services('a'), 2003, 3003);
    expect(catalog.read(2003).view).not.toHaveProperty('unreadable');
    // One that says nothing is waited for no longer than others.
    catalog.define(services('a'), 2004, 3004, ['b']);
    catalog.define(services('a', 'b'), 2005, 3005);
    expect(names(catalog, 3005)).toEqual(['a', 'b']);
    expect(catalog.read(3005).view).not.toHaveProperty('unreadable');
  });

  it('never leaves out what was shown once', () => {
    const catalog = catalogOf('a');
    catalog.introduce(catalog.read(1000).view);
    catalog.define(services('a'), 1000, 9000);
    expect(names(catalog, 1000)).toEqual(['a']);
  });

  it('waits anew for a service that left and came back', () => {
    const catalog = catalogOf('a');
    catalog.introduce(catalog.read(1000).view);
    catalog.define(services(), 1000, 1000);
    catalog.define(services('a'), 2000, 3000);
    expect(catalog.read(2000).waiting).toEqual(['a']);
  });

  it('keeps the snapshot of a service whose rules change', () => {
    const catalog = catalogOf('a');
    catalog.update('a', live(one), 1);
    catalog.define(new Map([['a', { ...rules, backendPortOverride: 7 }]]), 2, 3);
    expect(catalog.read(2).view.services[0]?.instances).toEqual([{ ...one, port: 7 }]);
  });

  it('says whether a snapshot brings anything new', () => {
    const catalog = catalogOf('a');
    expect(catalog.update('a', live(one), 1)).toBe(true);
    expect(catalog.update('a', live({ ...one }), 2)).toBe(false);
    expect(catalog.update('a', live({ ...one, weight: 2 }), 3)).toBe(true);
    expect(catalog.update('unknown', live(one), 4)).toBe(false);
  });

  it('counts how long a source is lost', () => {
    const catalog = catalogOf('a');
    const staleMs = (now: number) => catalog.status(now)[0]?.staleMs;
    expect(staleMs(100)).toBe(100);
    catalog.update('a', live(one), 100);
    expect(staleMs(500)).toBe(0);
    catalog.update('a', { status: 'stale', instances: [one] }, 500);
    catalog.update('a', { status: 'stale', instances: [] }, 600);
    expect(staleMs(700)).toBe(200);
  });

  it('keeps what a service knew, as stale, when its watcher is replaced', () => {
    const catalog = catalogOf('a');
    catalog.update('a', live(one), 1);
    catalog.supersede('a', 2);
    expect(catalog.read(2).view.services[0]).toMatchObject({ source: 'stale', instances: [one] });
  });

  it('lays the generator configuration of the source over the local one', () => {
    const catalog = catalogOf('a');
    catalog.update('a', { status: 'live', instances: [], generatorConfig: { haproxy: { x: 2 } } }, 1);
    expect(catalog.read(1).view.services[0]?.blocks).toEqual({ haproxy: { port: 1, x: 2 } });
  });

  it('shows the last snapshot of each service, whatever came before', () => {
    const snapshots = fc.record({ name: fc.constantFrom('a', 'b'), port: fc.integer({ min: 1, max: 9 }) });
    fc.assert(
      fc.property(fc.array(snapshots), (events) => {
        const catalog = catalogOf('a', 'b');
        events.forEach(({ name, port }, at) => catalog.update(name, live({ host: 'h', port }), at));
        for (const { name, instances } of catalog.read(2000).view.services) {
          const last = events.findLast((event) => event.name === name);
          expect(instances).toEqual(last === undefined ? [] : [{ host: 'h', port: last.port }]);
        }
      }),
    );
  });
});
