import { createTransport, type SessionRef, type ZkTransport } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../harness/faultProxy.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { closeSessionsAfterEach, epochOf, instance, sessionIdOf, testSession } from './bed.ts';

const timeoutMs = 1_500;
let server: ZooKeeperServer;
let proxy: FaultProxy;
beforeEach(async () => {
  server = await startZooKeeper();
  proxy = await startFaultProxy(server.port);
});
// Registered before the sessions' own hook, so that it runs after it.
afterEach(async () => {
  await proxy.close();
  await server.dispose();
});
closeSessionsAfterEach();

function blockEventLoop(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

it('fault 7: the event loop blocked for longer than T: one expiry, one new registration', async () => {
  const { session, log, connected } = testSession(server.address, { sessionTimeoutMs: timeoutMs });
  await connected();
  const registration = session.register({ parent: '/fault7', mode: 'ephemeral_sequential' });
  registration.want({ name: 'i_', data: instance('h', 1) });
  await registration.settled(AbortSignal.timeout(5_000));
  const before = sessionIdOf(session);
  blockEventLoop(2 * timeoutMs);
  await eventually(() => session.state.kind === 'connected' && sessionIdOf(session) !== before, {
    what: 'a new session',
  });
  await registration.settled(AbortSignal.timeout(5_000));
  expect(log.records.filter(({ message }) => message === 'ZooKeeper session expired')).toHaveLength(1);
  expect(epochOf(session)).toBe(2);
  expect((await session.getChildren('/fault7')).children).toEqual(['i_0000000001']);
  expect(log.records.some(({ message }) => message === 'the event loop stood still')).toBe(true);
});

it('fault 7: the event loop blocked for 5/6 T: the session and its node stay', async () => {
  const { session, connected } = testSession(server.address, { sessionTimeoutMs: 3_000 });
  await connected();
  const registration = session.register({ parent: '/fault7', mode: 'ephemeral_sequential' });
  registration.want({ name: 'i_', data: instance('h', 1) });
  await registration.settled(AbortSignal.timeout(5_000));
  const states: string[] = [];
  session.onState(({ kind }) => states.push(kind));
  blockEventLoop(2_500);
  await holds(() => session.state.kind === 'connected', { what: 'connected', forMs: 1_000 });
  expect(states).toEqual([]);
  expect((await session.getChildren('/fault7')).children).toEqual(['i_0000000000']);
});

it('fault 12: the server’s data wiped: a warning, then the reset rule; everything is there again', async () => {
  const { session, warnings, connected } = testSession(server.address, { sessionTimeoutMs: timeoutMs });
  await connected();
  const registration = session.register({ parent: '/fault12/deep', mode: 'ephemeral_sequential' });
  registration.want({ name: 'i_', data: instance('h', 1) });
  const watch = session.watchChildren('/fault12/deep', { onSnapshot: () => undefined });
  await registration.settled(AbortSignal.timeout(5_000));
  // The wiped server must know less than we have seen.
  for (let i = 0; i < 20; i += 1) await session.setData('/fault12', Buffer.from(String(i)), -1);
  await server.stop();
  server.wipe();
  await server.start();
  await eventually(() => session.state.kind === 'connected' && epochOf(session) === 2, {
    what: 'a new session',
    timeoutMs: 4 * timeoutMs + 2_000,
  });
  expect(warnings().some((message) => message.startsWith('all servers hang up on us'))).toBe(true);
  await registration.settled(AbortSignal.timeout(5_000));
  expect((await session.getChildren('/fault12/deep')).children).toEqual(['i_0000000000']);
  await eventually(() => watch.freshness === 'live' && watch.last?.children.size === 1, {
    what: 'the watch is back',
  });
});

it('fault 14: the server away for long: the last reading stands, few dials, memory flat', async () => {
  const { session, connected } = testSession(proxy.address, { sessionTimeoutMs: timeoutMs });
  await connected();
  const parents = Array.from({ length: 20 }, (_, i) => `/fault14/s${i}` as const);
  const registrations = parents.map((parent, i) => {
    const registration = session.register({ parent, mode: 'ephemeral_sequential' });
    registration.want({ name: 'i_', data: instance('h', i + 1) });
    return registration;
  });
  await Promise.all(registrations.map((registration) => registration.settled(AbortSignal.timeout(5_000))));
  let snapshots = 0;
  const watches = parents.map((parent) =>
    session.watchChildren(parent, { onSnapshot: () => (snapshots += 1) }),
  );
  await eventually(() => snapshots === 20, { what: 'all are read' });
  await server.kill();
  await eventually(() => session.state.kind === 'presumed-lost', {
    what: 'presumed lost',
    timeoutMs: 3 * timeoutMs,
  });
  const dialsBefore = proxy.accepted;
  const heapBefore = process.memoryUsage().heapUsed;
  await holds(
    () =>
      snapshots === 20 &&
      watches.every(({ freshness, last }) => freshness === 'stale' && last?.children.size === 1),
    {
      what: 'the last reading stands, marked stale',
      forMs: 5_000,
    },
  );
  expect(proxy.accepted - dialsBefore).toBeLessThan(10);
  expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(20e6);
  expect(registrations.every(({ state }) => state.kind === 'pending')).toBe(true);
  await server.start();
  await eventually(() => watches.every(({ freshness }) => freshness === 'live'), { what: 'all live again' });
  await Promise.all(registrations.map((registration) => registration.settled(AbortSignal.timeout(5_000))));
  expect(registrations.map(({ state }) => state.kind)).toEqual(parents.map(() => 'present'));
  for (const parent of parents) expect((await session.getChildren(parent)).children).toHaveLength(1);
});

/** A transport that tells which session it carries, or is told which to take. */
function hijackable(take?: SessionRef): ZkTransport & { session: SessionRef | undefined } {
  const transport = createTransport();
  const self: ZkTransport & { session: SessionRef | undefined } = {
    session: take,
    dial: async (spec, signal) => {
      const result = await transport.dial({ ...spec, resume: spec.resume ?? take }, signal);
      if (result.kind === 'connected') self.session = result.session;
      return result;
    },
  };
  return self;
}

it('fault 15: two processes on one session: they back off and say so', async () => {
  const transport = hijackable();
  const first = testSession(proxy.address, { sessionTimeoutMs: timeoutMs, transport });
  await first.connected();
  const second = testSession(proxy.address, {
    sessionTimeoutMs: timeoutMs,
    transport: hijackable(transport.session),
  });
  await eventually(
    () =>
      first
        .warnings()
        .concat(second.warnings())
        .some((message) => message.includes('flapping')),
    {
      what: 'the warning',
      timeoutMs: 10_000,
    },
  );
  const before = proxy.accepted;
  await holds(() => proxy.accepted - before < 14, { what: 'few dials by both', forMs: 4_000 });
});

it('expired by someone else (who closes the same session): at once a new session and a new node', async () => {
  const transport = hijackable();
  const { session, connected } = testSession(server.address, { sessionTimeoutMs: 6_000, transport });
  await connected();
  const registration = session.register({ parent: '/hijack', mode: 'ephemeral_sequential' });
  registration.want({ name: 'i_', data: instance('h', 1) });
  await registration.settled(AbortSignal.timeout(5_000));
  const thief = testSession(server.address, {
    sessionTimeoutMs: 6_000,
    transport: hijackable(transport.session),
  });
  await thief.connected();
  await thief.session.close();
  await eventually(() => session.state.kind === 'connected' && epochOf(session) === 2, {
    what: 'a new session, before the old one would have ended',
    timeoutMs: 5_000,
  });
  await registration.settled(AbortSignal.timeout(5_000));
  expect((await session.getChildren('/hijack')).children).toEqual(['i_0000000001']);
});

describe('fault 16', () => {
  it('authentication and reconnects: never NoAuth', async () => {
    const auth = [{ scheme: 'digest', data: Buffer.from('nerve:secret') }];
    const acl = [{ permissions: 'cdrwa', scheme: 'auth', id: '' }];
    const { session } = testSession(proxy.address, {
      sessionTimeoutMs: timeoutMs,
      auth,
      backoff: { minMs: 1, maxMs: 20 },
    });
    await session.create('/fault16', Buffer.from('locked'), 'persistent', { acl });
    const outsider = testSession(server.address).session;
    await expect(outsider.getData('/fault16')).rejects.toMatchObject({ kind: 'NoAuth' });
    const failures: unknown[] = [];
    for (let round = 0; round < 20; round += 1) {
      const reads = Array.from({ length: 20 }, () =>
        session
          .getData('/fault16')
          .catch((error: unknown) => failures.push((error as { kind: string }).kind)),
      );
      if (round % 2) proxy.cut();
      else proxy.cutAfter('down', 1 + Math.floor(Math.random() * 500));
      await Promise.all(reads);
    }
    expect(failures).not.toContain('NoAuth');
    expect((await session.getData('/fault16')).data.toString()).toBe('locked');
  });

  it('credentials that the server refuses: auth-failed, few dials, and it goes on trying', async () => {
    const auth = [{ scheme: 'unheard-of', data: Buffer.from('x') }];
    const { session, warnings } = testSession(proxy.address, { sessionTimeoutMs: timeoutMs, auth });
    await eventually(() => session.state.kind === 'auth-failed', { what: 'auth-failed' });
    const before = proxy.accepted;
    await holds(() => session.state.kind === 'auth-failed', { what: 'auth-failed', forMs: 1_000 });
    expect(proxy.accepted - before).toBeLessThan(12);
    await eventually(() => proxy.accepted > before, { what: 'another dial' });
    expect(warnings()).toHaveLength(1);
  });

  it('request numbers near 2^31: the connection is replaced, the session stays', async () => {
    const transport = createTransport({ firstXid: 2 ** 31 - 2 ** 20 - 20 });
    const { session, warnings, connected } = testSession(proxy.address, {
      sessionTimeoutMs: timeoutMs,
      transport,
    });
    await connected();
    const id = sessionIdOf(session);
    for (let i = 0; i < 40; i += 1) await session.exists('/');
    await eventually(() => proxy.accepted === 2 && session.state.kind === 'connected', {
      what: 'the second connection',
    });
    expect(sessionIdOf(session)).toBe(id);
    expect(warnings()).toEqual(['ZooKeeper connection lost']);
    await session.exists('/');
  });
});
