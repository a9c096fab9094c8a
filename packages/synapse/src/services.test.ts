import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Catalog } from './catalog/catalog.js';
import type { CatalogRules } from './catalog/definition.js';
import type { Snapshot } from './catalog/types.js';
import type { ServiceDefinition } from './config/service.js';
import { ServiceSet } from './services.js';

interface Source {
  readonly service: string;
  readonly method: string;
  readonly emit: (snapshot: Snapshot) => void;
  readonly fail: (error: Error) => void;
  stopped: boolean;
}

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

let clock: FakeClock;
let logger: RecordingLogger;
let catalog: Catalog;
let sources: Source[];
let set: ServiceSet<{ method: string }>;
let stop: AbortController;
let running: Promise<void>;
const onChange = vi.fn();

beforeEach(() => {
  clock = new FakeClock();
  logger = new RecordingLogger();
  catalog = new Catalog();
  sources = [];
  onChange.mockReset();
  set = new ServiceSet({
    catalog,
    createWatcher: (service, { method }) => ({
      run: (emit, signal) =>
        new Promise((resolve, reject) => {
          const source: Source = { service, method, emit, fail: reject, stopped: false };
          sources.push(source);
          signal.addEventListener('abort', () => {
            source.stopped = true;
            resolve();
          });
        }),
    }),
    onChange,
    patienceMs: 1_000,
    clock,
    logger,
  });
  stop = new AbortController();
  running = set.run(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await running;
  expect(sources.every(({ stopped }) => stopped)).toBe(true);
  expect(clock.pending).toBe(0);
});

function define(services: Readonly<Record<string, string>>, changed: Partial<CatalogRules> = {}) {
  const definitions = Object.entries(services).map(
    ([name, method]): [string, ServiceDefinition<{ method: string }>] => [
      name,
      { name, discovery: { method }, copies: undefined, rules: { ...rules, ...changed } },
    ],
  );
  return set.apply(new Map(definitions));
}
const instancesOf = (service: string) =>
  catalog.read(clock.monotonic()).view.services.find(({ name }) => name === service)?.instances;

describe('ServiceSet', () => {
  it('starts a watcher per service and feeds the catalog', () => {
    expect(define({ a: 'x', b: 'x' })).toEqual({ added: ['a', 'b'], removed: [], rewatched: [] });
    onChange.mockReset();
    sources[0]?.emit(live(one));
    sources[0]?.emit(live(one));
    expect(onChange).toHaveBeenCalledOnce();
    expect(instancesOf('a')).toEqual([one]);
  });

  it('touches only the watchers whose discovery changed', () => {
    define({ a: 'x', b: 'x', c: 'x' });
    for (const source of sources) source.emit(live(one));
    const difference = define({ a: 'x', b: 'y', d: 'x' }, { backendPortOverride: 7 });
    expect(difference).toEqual({ added: ['d'], removed: ['c'], rewatched: ['b'] });
    expect(sources.map(({ service, method, stopped }) => [service, method, stopped])).toEqual([
      ['a', 'x', false],
      ['b', 'x', true],
      ['c', 'x', true],
      ['b', 'y', false],
      ['d', 'x', false],
    ]);
    expect(instancesOf('a')).toEqual([{ ...one, port: 7 }]);
  });

  it('keeps what a service knew until its new watcher speaks, whatever the old one still says', () => {
    define({ a: 'x' });
    sources[0]?.emit(live(one));
    define({ a: 'y' });
    sources[0]?.emit(live());
    expect(catalog.status(0)[0]).toMatchObject({ source: 'stale', instances: [one] });
    sources[1]?.emit(live({ ...one, port: 81 }));
    expect(catalog.status(0)[0]).toMatchObject({ source: 'live', instances: [{ ...one, port: 81 }] });
  });

  it('a watcher that fails is started again, and the others go on', async () => {
    define({ a: 'x', b: 'x' });
    sources[1]?.emit(live(one));
    sources[0]?.fail(new TypeError('a bug'));
    await clock.advance(0);
    sources[0]!.stopped = true;
    expect(logger.records.map(({ level }) => level)).toEqual(['error']);
    await clock.advance(1_000);
    expect(sources).toHaveLength(3);
    expect(instancesOf('b')).toEqual([one]);
  });

  it('says when configuration of the registry covers only a part of the local one', () => {
    define({ a: 'x' });
    const told = (block: object): Snapshot => ({
      status: 'live',
      instances: [],
      generatorConfig: { haproxy: block },
    });
    sources[0]?.emit(told({ listen: [] }));
    sources[0]?.emit(told({ listen: [] }));
    sources[0]?.emit(told({ port: 2 }));
    expect(logger.records.map(({ level, fields }) => [level, fields.keptLocalKeys])).toEqual([
      ['warn', ['port']],
      ['info', []],
    ]);
  });
});
