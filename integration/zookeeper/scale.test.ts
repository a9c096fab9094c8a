import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../harness/faultProxy.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { closeSessionsAfterEach, instance, sessionIdOf, testSession } from './bed.ts';

let server: ZooKeeperServer;
let proxy: FaultProxy;
beforeAll(async () => {
  server = await startZooKeeper();
});
afterAll(() => server.dispose());
beforeEach(async () => {
  proxy = await startFaultProxy(server.port);
});
// Registered before the sessions' own hook, so that it runs after it.
afterEach(() => proxy.close());
closeSessionsAfterEach();

it('fault 6: 15,000 watched nodes, then a cut: one reconnect and a full re-read', async () => {
  const services = 100;
  const instances = 150;
  const writer = testSession(server.address, { sessionTimeoutMs: 20_000 }).session;
  const parents = Array.from({ length: services }, (_, i) => `/fault6/s${i}` as const);
  await Promise.all(parents.map((parent) => writer.mkdirp(parent)));
  await Promise.all(
    parents.flatMap((parent) =>
      Array.from({ length: instances }, (_, i) =>
        writer.create(`${parent}/i_`, instance('10.0.0.1', i + 1), 'persistent_sequential'),
      ),
    ),
  );
  const { session, connected } = testSession(proxy.address, { sessionTimeoutMs: 10_000 });
  await connected();
  const id = sessionIdOf(session);
  let snapshots = 0;
  const watches = parents.map((parent) =>
    session.watchChildren(parent, { onSnapshot: () => (snapshots += 1) }),
  );
  const allLive = (): boolean =>
    watches.every(({ freshness, last }) => freshness === 'live' && last?.children.size === instances);
  await eventually(allLive, { what: 'all are read', timeoutMs: 20_000 });
  expect(snapshots).toBe(services);
  expect(proxy.accepted).toBe(1);

  const readBefore = proxy.bytes.down;
  proxy.cut();
  await eventually(() => watches.every(({ freshness }) => freshness === 'stale'), { what: 'all are stale' });
  await eventually(allLive, { what: 'all are read again', timeoutMs: 20_000 });
  expect(proxy.accepted).toBe(2);
  expect(sessionIdOf(session)).toBe(id);
  // Nothing differed, so nobody was told; but every node was read.
  expect(snapshots).toBe(services);
  expect(proxy.bytes.down - readBefore).toBeGreaterThan(services * instances * 100);
  // The watches are set again: a change of weight is seen.
  const [name] = watches[42]!.last!.children.keys();
  await writer.setData(`${parents[42]!}/${name!}`, instance('10.0.0.1', 1, { weight: 9 }), -1);
  await eventually(() => snapshots === services + 1, { what: 'the change is seen' });
});

it('a list of 20,000 names, and a thousand registrations on one session', async () => {
  const writer = testSession(server.address, { sessionTimeoutMs: 20_000 }).session;
  await writer.mkdirp('/wide');
  const long = 'x'.repeat(100);
  await Promise.all(
    Array.from({ length: 20_000 }, () =>
      writer.create(`/wide/${long}_`, Buffer.alloc(0), 'persistent_sequential'),
    ),
  );
  const { session } = testSession(proxy.address, { sessionTimeoutMs: 10_000 });
  const watch = session.watchChildren('/wide', { onSnapshot: () => undefined, skipChildData: () => true });
  await eventually(() => watch.last?.children.size === 20_000, {
    what: 'the list is read',
    timeoutMs: 10_000,
  });
  const registrations = Array.from({ length: 1_000 }, (_, i) => {
    const registration = session.register({ parent: `/many/s${i % 50}`, mode: 'ephemeral_sequential' });
    registration.want({ name: 'i_', data: instance('h', i + 1) });
    return registration;
  });
  await Promise.all(registrations.map((registration) => registration.settled(AbortSignal.timeout(20_000))));
  proxy.cut();
  await eventually(() => session.state.kind === 'suspended', { what: 'suspended' });
  await Promise.all(registrations.map((registration) => registration.settled(AbortSignal.timeout(20_000))));
  for (let i = 0; i < 50; i += 1) expect((await writer.getChildren(`/many/s${i}`)).children).toHaveLength(20);
});

it('data that no server takes: refused before it is sent', async () => {
  const { session, connected } = testSession(proxy.address);
  await connected();
  await expect(session.create('/big', Buffer.alloc(1_048_576), 'persistent')).rejects.toMatchObject({
    kind: 'TooLarge',
  });
  await session.create('/big', Buffer.alloc(1_048_400), 'persistent');
  expect((await session.getData('/big')).data).toHaveLength(1_048_400);
  expect(proxy.accepted).toBe(1);
});
