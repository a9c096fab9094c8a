import {
  type RegistrationHandle,
  type RegistrationState,
  SharedNodes,
  type ZkPath,
  type ZkSession,
} from '@smartstack/registry';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { closeSessionsAfterEach, instance, sessionIdOf, testSession, type TestSession } from './bed.ts';

let server: ZooKeeperServer;
beforeAll(async () => {
  server = await startZooKeeper();
});
afterAll(() => server.dispose());
closeSessionsAfterEach();

let client: TestSession;
let session: ZkSession;
let other: ZkSession;
let parent: ZkPath;
let round = 0;
beforeEach(async () => {
  client = testSession(server.address);
  ({ session } = client);
  other = testSession(server.address).session;
  await client.connected();
  round += 1;
  parent = `/registration/${round}`;
});

const settled = (registration: RegistrationHandle): Promise<void> =>
  registration.settled(AbortSignal.timeout(5_000));
const children = async (): Promise<string[]> => [...(await other.getChildren(parent)).children].sort();

describe('any mode', () => {
  it.each([
    ['ephemeral', 'i_'],
    ['ephemeral_sequential', 'i_0000000000'],
    ['persistent', 'i_'],
    ['persistent_sequential', 'i_0000000000'],
  ] as const)(
    '%s: created with its parents (trap 9: a bare _ ends what has no number), rewritten in place, renamed, deleted',
    async (mode, node) => {
      const registration = session.register({ parent, mode });
      const states: RegistrationState['kind'][] = [];
      registration.onState(({ kind }) => states.push(kind));
      expect(await other.exists(parent)).toBeUndefined();
      registration.want({ name: 'i_', data: instance('h', 1) });
      await settled(registration);
      expect(await children()).toEqual([node]);
      const { stat } = await other.getData(`${parent}/${node}`);
      expect(stat.ephemeralOwner).toBe(mode.startsWith('ephemeral') ? sessionIdOf(session) : 0n);
      registration.want({ name: 'i_', data: instance('h', 1, { weight: 2 }) });
      await settled(registration);
      const changed = await other.getData(`${parent}/${node}`);
      expect(changed.data).toEqual(instance('h', 1, { weight: 2 }));
      expect(changed.stat.czxid).toBe(stat.czxid);
      registration.want({ name: 'renamed_', data: instance('h', 1) });
      await settled(registration);
      const [renamed, ...more] = await children();
      expect(more).toEqual([]);
      expect(renamed).toMatch(mode.endsWith('sequential') ? /^renamed_\d{10}$/ : /^renamed_$/);
      registration.want(undefined);
      await settled(registration);
      expect(await children()).toEqual([]);
      expect(states).toEqual(['pending', 'present', 'present', 'absent']);
    },
  );

  it('a rename has both nodes before it has one', async () => {
    const seen: string[][] = [];
    const registration = session.register({ parent, mode: 'ephemeral_sequential' });
    registration.want({ name: 'a_', data: instance('h', 1) });
    await settled(registration);
    const watch = other.watchChildren(parent, {
      onSnapshot: (snapshot) => seen.push([...snapshot.children.keys()]),
    });
    await eventually(() => watch.freshness === 'live', { what: 'the watch is live' });
    registration.want({ name: 'b_', data: instance('h', 1) });
    await settled(registration);
    await eventually(() => watch.last?.children.has('b_0000000001') && watch.last.children.size === 1, {
      what: 'renamed',
    });
    expect(seen.every((names) => names.length > 0)).toBe(true);
  });

  it('deleted by someone else: back at once; taken again and again: slower', async () => {
    const registration = session.register({ parent, mode: 'ephemeral_sequential' });
    registration.want({ name: 'i_', data: instance('h', 1) });
    await settled(registration);
    await other.delete(`${parent}/i_0000000000`, -1);
    const start = performance.now();
    await eventually(async () => (await children())[0] === 'i_0000000001', { what: 'recreated' });
    expect(performance.now() - start).toBeLessThan(2_000);
    let deletions = 0;
    await holds(
      async () => {
        for (const child of await children()) {
          await other.delete(`${parent}/${child}`, -1).catch(() => undefined);
          deletions += 1;
        }
        return deletions < 12;
      },
      { what: 'recreated with growing pauses', forMs: 1_500 },
    );
    await eventually(async () => (await children()).length === 1, { what: 'it comes back in the end' });
  });

  it('data changed by someone else are restored', async () => {
    const registration = session.register({ parent, mode: 'ephemeral_sequential' });
    registration.want({ name: 'i_', data: instance('h', 1) });
    await settled(registration);
    await other.setData(`${parent}/i_0000000000`, Buffer.from('vandal'), -1);
    await eventually(
      async () => (await other.getData(`${parent}/i_0000000000`)).data.equals(instance('h', 1)),
      {
        what: 'restored',
      },
    );
  });

  it('wishes that change faster than the server answers end in the last one', async () => {
    const registration = session.register({ parent, mode: 'ephemeral_sequential' });
    for (let i = 0; i < 200; i += 1) {
      registration.want(i % 3 === 0 ? undefined : { name: `n${i % 5}_`, data: instance('h', i) });
      if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await settled(registration);
    const [only, ...more] = await children();
    expect(more).toEqual([]);
    expect(only).toMatch(/^n4_/);
    expect((await other.getData(`${parent}/${only!}`)).data).toEqual(instance('h', 199));
  });

  it('touch rewrites the data of a node that is there, and does nothing otherwise', async () => {
    const registration = session.register({ parent, mode: 'persistent' });
    await registration.touch();
    registration.want({ name: 'i_', data: instance('h', 1) });
    await settled(registration);
    await registration.touch();
    expect((await other.exists(`${parent}/i_`))?.version).toBe(1);
  });

  it('touch writes nothing over what a session that replaces this one has written', async () => {
    const shared = new SharedNodes();
    const register = async (port: number): Promise<RegistrationHandle> => {
      const one = testSession(server.address, { shared }).session;
      const registration = one.register({ parent, mode: 'persistent' });
      registration.want({ name: 'i_', data: instance('h', port) });
      await settled(registration);
      return registration;
    };
    const before = await register(1);
    await register(2);
    const written = await other.getData(`${parent}/i_`);
    await before.touch();
    expect(await other.getData(`${parent}/i_`)).toEqual(written);
    expect(written.data).toEqual(instance('h', 2));
  });

  it('settled() rejects when its signal aborts or the registration is disposed of', async () => {
    const offline = testSession('127.0.0.1:1').session;
    const never = offline.register({ parent, mode: 'ephemeral' });
    await settled(never);
    never.want({ name: 'i', data: instance('h', 1) });
    await expect(never.settled(AbortSignal.timeout(50))).rejects.toThrow(/timeout/);
    const waiting = never.settled(AbortSignal.timeout(5_000));
    never.dispose();
    await expect(waiting).rejects.toMatchObject({ kind: 'Closed' });
  });
});

describe('ephemeral, with its path taken', () => {
  it('by our previous session: replaced at once', async () => {
    await other.mkdirp(parent);
    await other.create(`${parent}/i_`, instance('h', 1, { weight: 7 }), 'ephemeral');
    const registration = session.register({ parent, mode: 'ephemeral' });
    registration.want({ name: 'i_', data: instance('h', 1) });
    await settled(registration);
    const { data, stat } = await other.getData(`${parent}/i_`);
    expect(stat.ephemeralOwner).toBe(sessionIdOf(session));
    expect(data).toEqual(instance('h', 1));
  });

  it('by a second agent with the same instance: the last to come keeps it, and no node is fought over', async () => {
    const [first, second] = [session, other].map((one) => one.register({ parent, mode: 'ephemeral' }));
    if (!first || !second) throw new Error('there are two');
    const node = { name: 'i_', data: instance('h', 1) };
    first.want(node);
    await settled(first);
    second.want(node);
    await settled(second);
    const owner = async (): Promise<bigint> => (await other.getData(`${parent}/i_`)).stat.ephemeralOwner;
    await eventually(() => first.state.kind === 'pending', { what: 'the first has noticed' });
    await holds(async () => (await owner()) === sessionIdOf(other), { what: 'it stays', forMs: 1_500 });
    expect(first.state).toMatchObject({ error: expect.stringContaining('second agent') as string });
    // The first is there again as soon as the second goes.
    second.want(undefined);
    await settled(second);
    await eventually(async () => (await owner()) === sessionIdOf(session), {
      what: 'the first has it back',
    });
    // ZooKeeper knows it before its answer has come.
    await settled(first);
    expect(first.state.kind).toBe('present');
  });

  it('by another instance: left alone, a warning, and taken as soon as it is free', async () => {
    await other.mkdirp(parent);
    await other.create(`${parent}/i_`, instance('foreign', 9), 'ephemeral');
    const registration = session.register({ parent, mode: 'ephemeral' });
    registration.want({ name: 'i_', data: instance('h', 1) });
    await eventually(() => client.warnings().includes('a registration is held up'), { what: 'the warning' });
    expect(registration.state).toMatchObject({
      kind: 'pending',
      error: expect.stringContaining('someone else') as string,
    });
    // Long enough for the pauses between attempts to have grown.
    await holds(async () => (await other.getData(`${parent}/i_`)).data.equals(instance('foreign', 9)), {
      what: 'left alone',
      forMs: 1_000,
    });
    await other.delete(`${parent}/i_`, -1);
    const start = performance.now();
    await settled(registration);
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it('by another registration of the same session: the first keeps it', async () => {
    const first = session.register({ parent, mode: 'ephemeral' });
    first.want({ name: 'i_', data: instance('h', 1) });
    await settled(first);
    const second = session.register({ parent, mode: 'ephemeral' });
    second.want({ name: 'i_', data: instance('h', 1) });
    await eventually(() => second.state.kind === 'pending' && second.state.error !== undefined, {
      what: 'held up',
    });
    first.want(undefined);
    await settled(first);
    await settled(second);
    expect(second.state.kind).toBe('present');
  });
});

describe('persistent nodes of an earlier process', () => {
  it('persistent: adopted, with its data brought up to date', async () => {
    await other.mkdirp(parent);
    await other.create(`${parent}/i_`, instance('h', 1, { weight: 7 }), 'persistent');
    const registration = session.register({ parent, mode: 'persistent' });
    registration.want({ name: 'i_', data: instance('h', 1) });
    await settled(registration);
    expect((await other.getData(`${parent}/i_`)).data).toEqual(instance('h', 1));
    expect(await children()).toEqual(['i_']);
  });

  it('persistent_sequential: adopted rather than duplicated; others with the prefix are left alone', async () => {
    await other.mkdirp(parent);
    await other.create(`${parent}/i_`, instance('h', 2), 'persistent_sequential');
    await other.create(`${parent}/i_`, instance('h', 1, { weight: 7 }), 'persistent_sequential');
    const registration = session.register({ parent, mode: 'persistent_sequential' });
    registration.want({ name: 'i_', data: instance('h', 1) });
    await settled(registration);
    expect(registration.state).toMatchObject({ path: `${parent}/i_0000000001` });
    expect(await children()).toEqual(['i_0000000000', 'i_0000000001']);
    expect((await other.getData(`${parent}/i_0000000001`)).data).toEqual(instance('h', 1));
    registration.want(undefined);
    await settled(registration);
    expect(await children()).toEqual(['i_0000000000']);
  });
});
