import type { ChildrenSnapshot } from '@smartstack/registry';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../harness/faultProxy.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { closeSessionsAfterEach, epochOf, instance, sessionIdOf, testSession } from './bed.ts';

const timeoutMs = 2_400;
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

describe('fault 1: a blackhole', () => {
  it.each([['both'], ['down'], ['up']] as const)(
    'of direction %s is noticed before the session ends; every operation settles; the session survives',
    async (which) => {
      const { session, connected } = testSession(proxy.address, { sessionTimeoutMs: timeoutMs });
      await connected();
      const id = sessionIdOf(session);
      await session.mkdirp('/fault1');
      const settled: string[] = [];
      const ask = (count: number): void => {
        for (let i = 0; i < count; i += 1)
          session.getData('/fault1').then(
            () => settled.push('ok'),
            () => settled.push('failed'),
          );
      };
      ask(50);
      proxy.blackhole(...(which === 'both' ? [] : [which]));
      ask(50);
      // 2/3 T + T/6 at most; what is left of T is for a machine that is busy.
      await eventually(() => session.state.kind === 'suspended', { what: 'suspended', timeoutMs });
      ask(50);
      proxy.heal();
      await eventually(() => session.state.kind === 'connected', { what: 'connected again' });
      await eventually(() => settled.length === 150, { what: 'all operations settled', timeoutMs });
      expect(sessionIdOf(session)).toBe(id);
      expect(settled.slice(-50)).not.toContain('failed');
    },
  );
});

it('fault 3: the only server hangs before we connect: few dials, and close() in time', async () => {
  server.pause();
  try {
    const { session } = testSession(proxy.address, { sessionTimeoutMs: timeoutMs });
    // Each dial waits T/2 for the handshake.
    await holds(() => proxy.accepted <= 6, { what: 'at most six dials', forMs: 2.5 * timeoutMs });
    expect(proxy.accepted).toBeGreaterThan(1);
    const start = performance.now();
    await session.close({ deadlineMs: 50 });
    // After a dial in vain there is always a next one.
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(session.state.kind).toBe('closed');
  } finally {
    server.resume();
  }
});

it('fault 4: a cut inside a frame: recovered at once, in the same session', async () => {
  const times: number[] = [];
  const big = Buffer.alloc(200_000, 'x');
  await testSession(server.address).session.create('/fault4', big, 'persistent');
  for (const bytes of [1, 2, 3, 4, 5, 20, 21, 100, 1_000, 65_536, 100_000, 200_000]) {
    // A session each: one that is cut again and again backs off.
    const { session, connected } = testSession(proxy.address, { sessionTimeoutMs: timeoutMs });
    await connected();
    const id = sessionIdOf(session);
    proxy.cutAfter('down', bytes);
    await expect(session.getData('/fault4')).rejects.toMatchObject({ kind: 'ConnectionLoss' });
    const start = performance.now();
    expect((await session.getData('/fault4')).data.equals(big)).toBe(true);
    times.push(performance.now() - start);
    expect(sessionIdOf(session)).toBe(id);
    await session.close();
  }
  // Of what waited for a timer each would be slow; a machine that is busy is slow now and then.
  expect(times.toSorted((a, b) => a - b)[4]).toBeLessThan(500);
});

it('fault 5: nothing but notifications for 3 T: no expiry', async () => {
  const { session, connected } = testSession(proxy.address, { sessionTimeoutMs: 1_200 });
  const writer = testSession(server.address).session;
  await connected();
  const nodes = Array.from({ length: 36 }, (_, i) => `/fault5/n${i}` as const);
  await Promise.all(nodes.map((path) => writer.mkdirp(path)));
  // So long a jitter that no event is followed by a read: each watch fires once and stays silent.
  const watches = nodes.map((path) =>
    session.watchChildren(path, { onSnapshot: () => undefined, jitterMs: 3_600_000 }),
  );
  await eventually(() => watches.every(({ freshness }) => freshness === 'live'), { what: 'all are read' });
  const states: string[] = [];
  session.onState(({ kind }) => states.push(kind));
  let next = 0;
  const notify = async (): Promise<void> => {
    const path = nodes[next++];
    if (path) await writer.setData(path, Buffer.from('now'), -1);
  };
  await holds(
    async () => {
      await notify();
      return session.state.kind === 'connected';
    },
    { what: 'connected', forMs: 3_600, intervalMs: 95 },
  );
  expect(states).toEqual([]);
  expect(epochOf(session)).toBe(1);
});

describe('fault 10: a cut between a sequential create and its reply', () => {
  it.each([['wanted still'], ['not wanted any more'], ['wanted with other data']])(
    'while %s: the registry ends up with exactly what is wanted',
    async (case_) => {
      const parent = `/fault10/${case_.replaceAll(' ', '-')}` as const;
      const direct = testSession(server.address).session;
      await direct.mkdirp(parent);
      const { session, connected } = testSession(proxy.address, { sessionTimeoutMs: timeoutMs });
      await connected();
      const registration = session.register({ parent, mode: 'ephemeral_sequential' });
      proxy.blackhole('down');
      registration.want({ name: 'i_', data: instance('h', 1) });
      await eventually(async () => (await direct.getChildren(parent)).children.length === 1, {
        what: 'the server has carried the create out',
      });
      if (case_ === 'not wanted any more') registration.want(undefined);
      if (case_ === 'wanted with other data')
        registration.want({ name: 'i_', data: instance('h', 1, { weight: 2 }) });
      proxy.cut();
      proxy.heal();
      await registration.settled(AbortSignal.timeout(5_000));
      const { children } = await direct.getChildren(parent);
      if (case_ === 'not wanted any more') expect(children).toEqual([]);
      else {
        expect(children).toEqual(['i_0000000000']);
        const { data } = await direct.getData(`${parent}/i_0000000000`);
        expect(data).toEqual(case_ === 'wanted still' ? instance('h', 1) : instance('h', 1, { weight: 2 }));
      }
    },
  );

  it('at every byte of the reply, and of the request: exactly one node each', async () => {
    const direct = testSession(server.address).session;
    const { session, connected } = testSession(proxy.address, {
      sessionTimeoutMs: timeoutMs,
      backoff: { minMs: 5, maxMs: 20 },
    });
    await connected();
    const parent = '/fault10/bytes';
    await session.mkdirp(parent);
    const cuts = [
      ...[1, 4, 8, 15, 22, 29, 36, 43].map((bytes) => ['down', bytes] as const),
      ...[1, 26, 51, 76, 101, 126].map((bytes) => ['up', bytes] as const),
    ];
    for (const [direction, bytes] of cuts) {
      const registration = session.register({ parent, mode: 'ephemeral_sequential' });
      const name = `${direction}-${bytes}_`;
      proxy.cutAfter(direction, bytes);
      registration.want({ name, data: instance('h', 1) });
      await registration.settled(AbortSignal.timeout(5_000));
      const { children } = await direct.getChildren(parent);
      expect(children.filter((child) => child.startsWith(name))).toHaveLength(1);
    }
  });

  it('two registrations with one prefix on one parent: neither takes the other’s node', async () => {
    const direct = testSession(server.address).session;
    const { session, connected } = testSession(proxy.address, { sessionTimeoutMs: timeoutMs });
    await connected();
    const parent = '/fault10/shared';
    await session.mkdirp(parent);
    const registrations = [1, 2, 3, 4].map((port) => {
      const registration = session.register({ parent, mode: 'ephemeral_sequential' });
      return { port, registration };
    });
    proxy.blackhole('down');
    for (const { port, registration } of registrations)
      registration.want({ name: 'i_', data: instance('h', port) });
    await eventually(async () => (await direct.getChildren(parent)).children.length === 4, {
      what: 'four nodes',
    });
    proxy.cut();
    proxy.heal();
    await Promise.all(
      registrations.map(({ registration }) => registration.settled(AbortSignal.timeout(5_000))),
    );
    for (const { port, registration } of registrations) {
      const { state } = registration;
      if (state.kind !== 'present') throw new Error(`registration of ${port} is ${state.kind}`);
      expect((await direct.getData(state.path)).data).toEqual(instance('h', port));
    }
    expect((await direct.getChildren(parent)).children).toHaveLength(4);
    // One leaves; the others stay.
    registrations[0]!.registration.want(undefined);
    await registrations[0]!.registration.settled(AbortSignal.timeout(5_000));
    expect((await direct.getChildren(parent)).children).toHaveLength(3);
  });
});

it.each(['ephemeral', 'ephemeral_sequential'] as const)(
  '%s: wanted again while its deletion is in doubt: exactly one node',
  async (mode) => {
    const parent = `/again/${mode}` as const;
    const direct = testSession(server.address).session;
    const { session } = testSession(proxy.address, { sessionTimeoutMs: timeoutMs });
    const registration = session.register({ parent, mode });
    for (const [direction, next] of [
      ['down', 'i_'],
      ['up', 'i_'],
      ['down', 'j_'],
      ['up', 'j_'],
    ] as const) {
      registration.want({ name: 'i_', data: instance('h', 1) });
      await registration.settled(AbortSignal.timeout(5_000));
      proxy.blackhole(direction);
      if (next === 'i_') registration.want(undefined);
      else registration.want({ name: next, data: instance('h', 1) });
      await new Promise((resolve) => setTimeout(resolve, 20));
      registration.want({ name: 'i_', data: instance('h', 2) });
      proxy.heal();
      await registration.settled(AbortSignal.timeout(5_000));
      const { children } = await direct.getChildren(parent);
      expect(children).toHaveLength(1);
      expect(children[0]).toMatch(/^i_/);
      expect((await direct.getData(`${parent}/${children[0]!}`)).data).toEqual(instance('h', 2));
    }
  },
);

it('fault 13: 3,000 writes with random cuts: the last value is seen', async () => {
  const writer = testSession(server.address).session;
  const { session } = testSession(proxy.address, {
    sessionTimeoutMs: timeoutMs,
    backoff: { minMs: 5, maxMs: 100 },
  });
  const names = Array.from({ length: 10 }, (_, i) => `n${i}`);
  await writer.mkdirp('/fault13');
  await Promise.all(names.map((name) => writer.create(`/fault13/${name}`, Buffer.from('0'), 'persistent')));
  let latest: ChildrenSnapshot | undefined;
  session.watchChildren('/fault13', { onSnapshot: (snapshot) => (latest = snapshot) });
  await eventually(() => latest?.children.size === 10, { what: 'the first snapshot' });
  for (let write = 1; write <= 3_000; write += 1) {
    const name = names[write % names.length]!;
    await writer.setData(`/fault13/${name}`, Buffer.from(String(write)), -1);
    if (write % 60 === 0) {
      if (Math.random() < 0.5) proxy.cut();
      else proxy.cutAfter('down', Math.floor(Math.random() * 400) + 1);
    }
  }
  proxy.heal();
  const value = (name: string): string => {
    const child = latest?.children.get(name);
    return child?.kind === 'data' ? child.data.toString() : '';
  };
  const expected = names.map((_, i) => String(2_991 + ((i + 9) % 10)));
  await eventually(() => names.every((name, i) => value(name) === expected[i]), {
    what: 'the last value of each node is seen',
  });
  expect(proxy.accepted).toBeGreaterThan(10);
});
