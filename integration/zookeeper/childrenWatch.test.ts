import { createMetrics } from '@smartstack/agent';
import {
  createTransport,
  declareZooKeeperMetrics,
  type ChildrenSnapshot,
  type ZkPath,
  type ZkSession,
} from '@smartstack/registry';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { startFaultProxy } from '../harness/faultProxy.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { closeSessionsAfterEach, instance, testSession, type TestSession } from './bed.ts';

let server: ZooKeeperServer;
beforeAll(async () => {
  server = await startZooKeeper();
});
afterAll(() => server.dispose());
closeSessionsAfterEach();

let client: TestSession;
let session: ZkSession;
let writer: ZkSession;
let path: ZkPath;
let seen: ChildrenSnapshot[];
let round = 0;
const onSnapshot = (snapshot: ChildrenSnapshot): void => void seen.push(snapshot);
beforeEach(async () => {
  client = testSession(server.address);
  ({ session } = client);
  writer = testSession(server.address).session;
  await client.connected();
  round += 1;
  path = `/watch/${round}`;
  seen = [];
});

const text = (name: string): string | undefined => {
  const child = seen.at(-1)?.children.get(name);
  return child?.kind === 'data' ? child.data.toString() : undefined;
};

it('follows a parent that is missing, comes, changes, goes and comes again', async () => {
  const watch = session.watchChildren(path, { onSnapshot });
  await eventually(() => seen.length === 1, { what: 'the first reading' });
  expect(seen[0]).toEqual({ exists: false, data: Buffer.alloc(0), children: new Map() });
  await writer.mkdirp(path);
  await eventually(() => seen.at(-1)?.exists, { what: 'it exists' });
  await writer.setData(path, Buffer.from('generator config'), -1);
  await eventually(() => seen.at(-1)?.data.toString() === 'generator config', { what: 'its data' });
  await writer.create(`${path}/a`, Buffer.from('1'), 'persistent');
  await eventually(() => text('a') === '1', { what: 'a child' });
  await writer.setData(`${path}/a`, Buffer.from('2'), -1);
  await eventually(() => text('a') === '2', { what: 'the child’s new data' });
  await writer.delete(`${path}/a`, -1);
  await writer.delete(path, -1);
  await eventually(() => seen.at(-1)?.exists === false, { what: 'it is gone' });
  await writer.mkdirp(path);
  await writer.create(`${path}/a`, Buffer.from('3'), 'persistent');
  await eventually(() => text('a') === '3', { what: 'it is back' });
  watch.dispose();
  const before = seen.length;
  await writer.setData(`${path}/a`, Buffer.from('4'), -1);
  await holds(() => seen.length === before, { what: 'silence after dispose', forMs: 100 });
});

it('a child deleted and made again under its name is read again, whatever the timing', async () => {
  await writer.mkdirp(path);
  await writer.create(`${path}/a`, Buffer.from('0'), 'persistent');
  session.watchChildren(path, { onSnapshot });
  await eventually(() => text('a') === '0', { what: 'the first reading' });
  for (let i = 1; i <= 200; i += 1) {
    await writer.delete(`${path}/a`, -1);
    await writer.create(`${path}/a`, Buffer.from(String(i)), 'persistent');
    if (i % 20 === 0) await eventually(() => text('a') === String(i), { what: `value ${i}` });
  }
  // And without waiting for the server in between.
  for (let i = 1_000; i <= 1_100; i += 1) {
    const gone = writer.delete(`${path}/a`, -1);
    const made = writer.create(`${path}/a`, Buffer.from(String(i)), 'persistent');
    await Promise.all([gone, made]);
  }
  await eventually(() => text('a') === '1100', { what: 'the last value' });
});

it('asks for the data of no child whose name tells all, and reads each other child once', async () => {
  const proxy = await startFaultProxy(server.port);
  await writer.mkdirp(path);
  await writer.create(`${path}/skip_`, Buffer.alloc(50_000), 'persistent_sequential');
  await writer.create(`${path}/read_`, Buffer.alloc(50_000), 'persistent_sequential');
  const { session: counted, connected } = testSession(proxy.address);
  await connected();
  const before = proxy.bytes.down;
  counted.watchChildren(path, { onSnapshot, skipChildData: (name) => name.startsWith('skip') });
  await eventually(() => seen.length === 1, { what: 'the first reading' });
  expect(seen[0]?.children.get('skip_0000000000')).toEqual({ kind: 'skipped' });
  await writer.create(`${path}/read_`, Buffer.from('small'), 'persistent_sequential');
  await eventually(() => text('read_0000000002') === 'small', { what: 'the new child' });
  expect(proxy.bytes.down - before).toBeLessThan(55_000);
  await counted.close();
  await proxy.close();
});

it('a child that may not be read is an error of its own', async () => {
  await writer.mkdirp(path);
  const acl = [{ permissions: 'cd', scheme: 'world', id: 'anyone' }];
  await writer.create(`${path}/closed`, Buffer.from('secret'), 'persistent', { acl });
  await writer.create(`${path}/open`, Buffer.from('1'), 'persistent');
  session.watchChildren(path, { onSnapshot });
  await eventually(() => text('open') === '1', { what: 'the open one' });
  expect(seen.at(-1)?.children.get('closed')).toMatchObject({ kind: 'error', error: { kind: 'NoAuth' } });
  await writer.setData(`${path}/open`, Buffer.from('2'), -1);
  await eventually(() => text('open') === '2', { what: 'its change' });
});

it('a short disconnect tears nothing down: stale, live, and not one snapshot when nothing changed', async () => {
  const proxy = await startFaultProxy(server.port);
  const { session: shaky, connected } = testSession(proxy.address);
  await connected();
  await writer.mkdirp(path);
  await writer.create(`${path}/a`, Buffer.from('1'), 'persistent');
  const freshness: string[] = [];
  const order: string[] = [];
  shaky.watchChildren(path, {
    onSnapshot: (snapshot) => {
      onSnapshot(snapshot);
      order.push('snapshot');
    },
    onFreshness: (now) => {
      freshness.push(now);
      order.push(now);
    },
  });
  await eventually(() => freshness.length === 1, { what: 'live' });
  proxy.cut();
  await eventually(() => freshness.length === 3, { what: 'stale and live again' });
  expect(freshness).toEqual(['live', 'stale', 'live']);
  expect(seen).toHaveLength(1);
  // What changes meanwhile is told before the reading is called live.
  proxy.refuse();
  proxy.cut();
  await writer.setData(`${path}/a`, Buffer.from('2'), -1);
  proxy.heal();
  await eventually(() => freshness.length === 5, { what: 'stale and live once more' });
  expect(text('a')).toBe('2');
  expect(order).toEqual(['snapshot', 'live', 'stale', 'live', 'stale', 'snapshot', 'live']);
  await shaky.close();
  await proxy.close();
});

it('a listener that throws hurts nobody', async () => {
  await writer.mkdirp(path);
  session.watchChildren(path, {
    onSnapshot: () => {
      throw new Error('bug');
    },
  });
  session.watchChildren(path, { onSnapshot });
  await eventually(() => seen.length === 1, { what: 'the other one hears' });
  await writer.create(`${path}/a`, Buffer.from('1'), 'persistent');
  await eventually(() => text('a') === '1', { what: 'the other one still hears' });
  expect(session.state.kind).toBe('connected');
});

it('a burst is coalesced: far fewer readings than changes, and the last one complete', async () => {
  await writer.mkdirp(path);
  session.watchChildren(path, { onSnapshot });
  await eventually(() => seen.length === 1, { what: 'the first reading' });
  await Promise.all(
    Array.from({ length: 1_000 }, (_, i) =>
      writer.create(`${path}/n`, instance('h', i + 1), 'ephemeral_sequential'),
    ),
  );
  await eventually(() => seen.at(-1)?.children.size === 1_000, { what: 'all are seen' });
  expect(seen.length).toBeLessThan(200);
});

it('discovery jitter delays readings after an event, not the first', async () => {
  await writer.mkdirp(path);
  session.watchChildren(path, { onSnapshot, jitterMs: 3_600_000 });
  await eventually(() => seen.length === 1, { what: 'the first reading' });
  await writer.create(`${path}/a`, Buffer.from('1'), 'persistent');
  await holds(() => seen.length === 1, { what: 'waiting', forMs: 200 });
});

it('what no watch tells is found by the resync, and counted', async () => {
  const transport = createTransport();
  const metrics = createMetrics();
  let deaf = false;
  const { session: deafened } = testSession(server.address, {
    resyncIntervalMs: 200,
    metrics: declareZooKeeperMetrics(metrics),
    transport: {
      dial: (spec, signal) =>
        transport.dial(
          {
            ...spec,
            onWatch: (event) => {
              if (!deaf) spec.onWatch(event);
            },
          },
          signal,
        ),
    },
  });
  await writer.mkdirp(path);
  await writer.create(`${path}/a`, Buffer.from('1'), 'persistent');
  deafened.watchChildren(path, { onSnapshot });
  await eventually(() => text('a') === '1', { what: 'the first reading' });
  const drift = async (): Promise<number> =>
    Number(/^smartstack_zk_drift_total\{.*\} (\d+)/m.exec((await metrics.expose()).body)?.[1] ?? 0);
  // Seen by watches, and resynced over and over: no drift.
  for (let i = 2; i < 40; i += 1) {
    await writer.setData(`${path}/a`, Buffer.from(String(i)), -1);
    await eventually(() => text('a') === String(i), { what: `value ${i}`, intervalMs: 15 });
  }
  expect(await drift()).toBe(0);
  deaf = true;
  await writer.setData(`${path}/a`, Buffer.from('99'), -1);
  await eventually(() => text('a') === '99', { what: 'found by the resync' });
  await eventually(async () => (await drift()) === 1, { what: 'counted' });
  await writer.create(`${path}/b`, Buffer.from('1'), 'persistent');
  await eventually(() => text('b') === '1', { what: 'found by the resync' });
  await eventually(async () => (await drift()) === 2, { what: 'counted' });
});

it('is quick: from the write to the snapshot', async () => {
  await writer.mkdirp(path);
  await writer.create(`${path}/a`, Buffer.from('0'), 'persistent');
  let heard: (() => void) | undefined;
  session.watchChildren(path, { onSnapshot: () => heard?.() });
  const times: number[] = [];
  for (let i = 1; i <= 40; i += 1) {
    const told = new Promise<void>((resolve) => (heard = resolve));
    const start = performance.now();
    await writer.create(`${path}/n`, instance('h', i), 'ephemeral_sequential');
    await told;
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  // A few milliseconds on a quiet machine; a timer of ours would be part of each.
  expect(times[4]).toBeLessThan(40);
});
