import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { startEnsemble, type ZooKeeperEnsemble } from '../harness/ensemble.ts';
import { eventually } from '../harness/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../harness/faultProxy.ts';
import type { ZooKeeperServer } from '../harness/zookeeper.ts';
import { closeSessionsAfterEach, instance, sessionIdOf, testSession, type TestSession } from './bed.ts';

let ensemble: ZooKeeperEnsemble;
let proxies: FaultProxy[];
beforeAll(async () => {
  ensemble = await startEnsemble();
});
afterAll(() => ensemble.dispose());
beforeEach(async () => {
  proxies = await Promise.all(ensemble.members.map(({ port }) => startFaultProxy(port)));
});
// Registered before the sessions' own hook, so that it runs after it.
afterEach(async () => {
  await Promise.all(proxies.map((proxy) => proxy.close()));
});
closeSessionsAfterEach();

const hosts = (): string[] => proxies.map(({ address }) => address);
const dials = (): number => proxies.reduce((sum, { accepted }) => sum + accepted, 0);

function memberOf({ session }: TestSession): ZooKeeperServer {
  const { state } = session;
  if (state.kind !== 'connected') throw new Error(`the session is ${state.kind}`);
  return ensemble.members[proxies.findIndex(({ address }) => address === state.server)]!;
}

/** A session connected to a follower, or to the leader. */
async function sessionOn(role: 'leader' | 'follower', sessionTimeoutMs: number): Promise<TestSession> {
  const leader = await ensemble.leader();
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const candidate = testSession(hosts(), { sessionTimeoutMs });
    await candidate.connected();
    if ((memberOf(candidate) === leader) === (role === 'leader')) return candidate;
    await candidate.session.close();
  }
  throw new Error(`no session landed on a ${role}`);
}

it('fault 2: SIGSTOP of the member we are connected to: on another before T, same session, node kept', async () => {
  const timeoutMs = 4_000;
  const client = await sessionOn('follower', timeoutMs);
  const { session } = client;
  const registration = session.register({ parent: '/fault2', mode: 'ephemeral_sequential' });
  registration.want({ name: 'i_', data: instance('h', 1) });
  await registration.settled(AbortSignal.timeout(5_000));
  const id = sessionIdOf(session);
  const stopped = memberOf(client);
  const start = performance.now();
  stopped.pause();
  try {
    await eventually(() => session.state.kind === 'connected' && memberOf(client) !== stopped, {
      what: 'connected to another member',
      timeoutMs,
    });
    expect(performance.now() - start).toBeLessThan(timeoutMs);
    expect(sessionIdOf(session)).toBe(id);
    await registration.settled(AbortSignal.timeout(2_000));
    expect((await session.getChildren('/fault2')).children).toEqual(['i_0000000000']);
  } finally {
    stopped.resume();
    await stopped.ready();
  }
});

it('fault 8: kill -9 of the leader: back in the same session, no duplicate', async () => {
  const client = await sessionOn('leader', 4_000);
  const { session } = client;
  const registrations = ['a', 'b', 'c', 'd', 'e'].map((name) => {
    const registration = session.register({ parent: '/fault8', mode: 'ephemeral_sequential' });
    registration.want({ name: `${name}_`, data: instance(name, 1) });
    return registration;
  });
  await Promise.all(registrations.map((registration) => registration.settled(AbortSignal.timeout(5_000))));
  const id = sessionIdOf(session);
  const before = [...(await session.getChildren('/fault8')).children].sort();
  const leader = memberOf(client);
  await leader.kill();
  await eventually(() => session.state.kind === 'connected' && memberOf(client) !== leader, {
    what: 'connected to another member',
    timeoutMs: 8_000,
  });
  await Promise.all(registrations.map((registration) => registration.settled(AbortSignal.timeout(5_000))));
  expect(sessionIdOf(session)).toBe(id);
  expect([...(await session.getChildren('/fault8')).children].sort()).toEqual(before);
  await leader.start();
});

it('fault 8: quorum lost for longer than T: about a dial a second, then no duplicate', async () => {
  const timeoutMs = 2_000;
  const client = testSession(hosts(), { sessionTimeoutMs: timeoutMs });
  await client.connected();
  const { session } = client;
  const names = ['a_', 'b_', 'c_'];
  const registrations = names.map((name) => {
    const registration = session.register({ parent: '/quorum', mode: 'ephemeral_sequential' });
    registration.want({ name, data: instance(name, 1) });
    return registration;
  });
  await Promise.all(registrations.map((registration) => registration.settled(AbortSignal.timeout(5_000))));
  const killed = [ensemble.members[0]!, ensemble.members[1]!];
  await Promise.all(killed.map((member) => member.kill()));
  await eventually(() => session.state.kind === 'presumed-lost', {
    what: 'presumed lost',
    timeoutMs: 4 * timeoutMs,
  });
  const dialled = dials();
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 2 * timeoutMs));
  const perSecond = ((dials() - dialled) * 1_000) / (performance.now() - start);
  expect(perSecond).toBeLessThan(2);
  expect(perSecond).toBeGreaterThan(0);
  for (const member of killed) member.launch();
  await Promise.all(killed.map((member) => member.ready()));
  await eventually(() => session.state.kind === 'connected', { what: 'connected', timeoutMs: 10_000 });
  await Promise.all(registrations.map((registration) => registration.settled(AbortSignal.timeout(5_000))));
  const { children } = await session.getChildren('/quorum');
  expect(children.map((child) => child.slice(0, 2)).sort()).toEqual(names);
});
