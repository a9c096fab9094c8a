import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { EtcdWatchPool } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Snapshot } from '../catalog/types.js';
import { FakeSession } from '../testing/index.js';
import { FolderPool } from './files/folderPool.js';
import { zookeeperWatcher } from './zookeeper.js';

const encoded =
  'base64_88_eyJob3N0IjoiMTI3LjAuNS45IiwicG9ydCI6ODA4MCwibmFtZSI6ImVuYyIsImxhYmVscyI6eyJheiI6ImEifX0=_0000000002';

let clock: FakeClock;
let logger: RecordingLogger;
let session: FakeSession;
let snapshots: Snapshot[];
let stop: AbortController;
let running: Promise<void>;
const undecodable = vi.fn();
const acquired = vi.fn();

beforeEach(() => {
  clock = new FakeClock();
  logger = new RecordingLogger();
  session = new FakeSession();
  snapshots = [];
  stop = new AbortController();
  undecodable.mockReset();
  acquired.mockReset();
});
afterEach(async () => {
  stop.abort();
  await running;
  expect(session.watches.every(({ disposed }) => disposed)).toBe(true);
  expect(session.leases).toBe(0);
  expect(clock.pending).toBe(0);
});

function watch(more: Readonly<Record<string, unknown>> = {}) {
  const options = zookeeperWatcher.options.parse({
    method: 'zookeeper',
    hosts: ['a:1'],
    path: '/s',
    ...more,
  });
  const watcher = zookeeperWatcher.create(options, {
    service: 'web',
    generators: ['haproxy'],
    protect: (each) => each,
    acquireSession: (hosts) => {
      acquired(hosts);
      return session.acquire();
    },
    folders: new FolderPool(clock, logger),
    etcd: new EtcdWatchPool({ clock, logger, random: () => 0 }),
    clock,
    logger,
    metrics: { undecodable },
  });
  running = watcher.run((snapshot) => snapshots.push(snapshot), stop.signal);
  return session.watch('/s');
}
const last = () => snapshots.at(-1);
const instances = (snapshot = last()) =>
  snapshot?.status === 'pending'
    ? undefined
    : snapshot?.instances.map(({ host, id }) => `${host}#${id ?? ''}`);
const config = (snapshot = last()) =>
  snapshot?.status === 'pending' ? undefined : snapshot?.generatorConfig;
const problems = (snapshot = last()) =>
  snapshot?.status === 'pending' ? undefined : snapshot?.problems?.map(({ path }) => path);
const plain = (host: string) => JSON.stringify({ host, port: 80 });

describe('zookeeper watcher', () => {
  it('says nothing before the first complete reading', () => {
    watch();
    expect(snapshots).toEqual([]);
    expect(acquired).toHaveBeenCalledWith(['a:1']);
  });

  it('keeps the order of ZooKeeper and takes ids from the names', () => {
    watch().read({ i_0000000009: plain('b'), i_0000000003: plain('a'), odd: plain('c') });
    expect(instances()).toEqual(['b#9', 'a#3', 'c#']);
    expect(last()?.status).toBe('live');
  });

  it('decodes path-encoded names without reading them', () => {
    const children = watch();
    expect(children.options.skipChildData?.(encoded)).toBe(true);
    expect(children.options.skipChildData?.('base64_9_notbase64!_0000000003')).toBe(false);
    children.read({ [encoded]: 'never looked at', 'base64_9_notbase64!_0000000003': plain('fallback') });
    expect(instances()).toEqual(['127.0.5.9#2', 'fallback#3']);
  });

  it('skips, tells and counts a bad child once', () => {
    const children = watch();
    const bad = {
      good_0000000000: plain('g'),
      bad_0000000001: 'not json',
      nohost_2: '{"port":1}',
      no_3: new Error('NoAuth'),
    };
    children.read(bad);
    children.read(bad);
    expect(instances()).toEqual(['g#0']);
    expect(undecodable.mock.calls).toEqual([['web'], ['web'], ['web']]);
    const told = logger.records.map(({ message, fields }) => [message, fields.path]);
    expect(told).toEqual([
      ['bad registration', '/s/bad_0000000001'],
      ['bad registration', '/s/nohost_2'],
      ['bad registration', '/s/no_3'],
    ]);
    expect(problems()).toEqual(['/s/bad_0000000001', '/s/nohost_2', '/s/no_3']);
    children.read({ good_0000000000: plain('g') });
    expect(last()).not.toHaveProperty('problems');
  });

  it('a missing path is an empty list', () => {
    watch().read({}, '', false);
    expect(last()).toEqual({ status: 'live', instances: [] });
  });

  it('keeps the instances as stale while the connection is lost', () => {
    const children = watch();
    children.read({ a_1: plain('a') });
    children.lose();
    expect(last()?.status).toBe('stale');
    expect(instances()).toEqual(['a#1']);
    children.read({});
    expect(last()).toEqual({ status: 'live', instances: [] });
  });

  it('reads serversets', () => {
    const data = {
      serviceEndpoint: { host: 's', port: 1 },
      additionalEndpoints: { http: { host: 'h', port: 2 } },
      shard: 4,
    };
    watch({ decode: { method: 'serverset', endpoint_name: 'http' } }).read({
      member_7: JSON.stringify(data),
    });
    expect(last()).toMatchObject({ instances: [{ host: 'h', port: 2, name: '4', id: 7 }] });
  });

  it.each([
    [5, 5_000],
    [120, 120_000],
    [121, 0],
    [null, 0],
  ])('a jitter of %j s delays by up to %i ms', (discovery_jitter, jitterMs) => {
    expect(watch({ discovery_jitter }).options.jitterMs).toBe(jitterMs);
  });
});

describe('generator configuration in ZooKeeper', () => {
  it('comes from the parent of the instances', () => {
    watch().read({}, '{"haproxy":{"port":1},"unknown":{}}');
    expect(config()).toEqual({ haproxy: { port: 1 } });
    expect(logger.records.map(({ level }) => level)).toEqual(['warn']);
  });

  it('stays in force while its data are bad, empty or gone (trap 18)', () => {
    const children = watch();
    children.read({}, '{"haproxy":{"port":1}}');
    for (const [data, exists] of [
      ['{', true],
      ['', true],
      ['{}', true],
      ['', false],
    ] as const) {
      children.read({}, data, exists);
      expect(config()).toEqual({ haproxy: { port: 1 } });
    }
    children.read({}, '{"haproxy":{}}');
    expect(config()).toEqual({ haproxy: {} });
  });

  it('is told to be bad once', () => {
    const children = watch();
    for (let i = 0; i < 3; i += 1) children.read({ [`x_${i}`]: plain('x') }, '{');
    expect(logger.records).toHaveLength(1);
    expect(problems()).toEqual(['/s']);
    children.read({}, '{"haproxy":{"port":1}}');
    expect(problems()).toBeUndefined();
  });

  it('is not looked for when disabled', () => {
    watch({ generator_config_path: 'disabled' }).read({}, '{"haproxy":{"port":1}}');
    expect(last()).toEqual({ status: 'live', instances: [] });
    expect(session.watches).toHaveLength(1);
  });

  it('may come from another path, which is waited for', () => {
    const children = watch({ generator_config_path: '/config/web' });
    children.read({ a_1: plain('a') }, '{"haproxy":{"port":666}}');
    expect(snapshots).toEqual([]);
    const other = session.watch('/config/web');
    expect(other.options.skipChildData?.('whatever')).toBe(true);
    other.read({}, '{"haproxy":{"port":1}}');
    expect(config()).toEqual({ haproxy: { port: 1 } });
    expect(last()?.status).toBe('live');
    other.lose();
    expect(last()?.status).toBe('stale');
  });

  it('is not waited for without end', async () => {
    const children = watch({ generator_config_path: '/secret' });
    children.read({ a_1: plain('a') });
    await clock.advance(3_000);
    expect(last()?.status).toBe('live');
    expect(instances()).toEqual(['a#1']);
    children.read({});
    expect(last()).toEqual({ status: 'live', instances: [] });
    session.watch('/secret').read({}, '{"haproxy":{"port":1}}');
    expect(config()).toEqual({ haproxy: { port: 1 } });
  });
});
