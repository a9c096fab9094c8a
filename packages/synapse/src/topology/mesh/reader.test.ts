import { FakeClock } from '@smartstack/agent/testing';
import { type SessionState, type Stat, ZooKeeperError, type ZkSession } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';
import { encodeNode } from './node.js';
import { FleetReader } from './reader.js';

const nodeOf = (instanceId: string, given: object = {}) =>
  encodeNode({ ...{ instanceId, agent: '1', services: [], edges: [], isCut: false }, ...given });

function setUp(nodes: Record<string, Buffer | Error>) {
  const clock = new FakeClock();
  const asked = { children: 0, data: 0 };
  const state = {
    ...{ failure: undefined as Error | undefined, version: 1n, hangs: false },
    session: { kind: 'connected' } as SessionState,
  };
  const find = (path: string): Buffer | undefined => {
    const found = nodes[path.slice('/mesh/'.length)];
    if (found instanceof Error) throw found;
    return found;
  };
  const stat = (data: Buffer) => ({ mzxid: state.version, dataLength: data.length }) as Stat;
  const session: Pick<ZkSession, 'exists' | 'getChildren' | 'getData' | 'state'> = {
    get state() {
      return state.session;
    },
    exists: (path) => Promise.resolve(find(path)).then((data) => data && stat(data)),
    getChildren: async () => {
      asked.children += 1;
      if (state.failure) throw state.failure;
      if (state.hangs) await new Promise(() => undefined);
      return { children: Object.keys(nodes).reverse(), stat: {} as Stat };
    },
    getData: (path) => {
      asked.data += 1;
      const data = find(path) ?? Buffer.alloc(0);
      return Promise.resolve({ data, stat: stat(data) });
    },
  };
  const stop = new AbortController();
  const reader = new FleetReader({ session: () => session, path: '/mesh', everyMs: 10_000, clock });
  const current = async () => {
    const answer = reader.current(stop.signal);
    await clock.advance(0);
    return answer;
  };
  /** Second by second: a reading takes some turns of the event loop, and no time. */
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) await clock.advance(1_000);
  };
  return { clock, asked, state, current, stop, pass };
}

describe('the fleet', () => {
  it('is what its hosts tell, without those that make no sense, and these are counted', async () => {
    const noAuth = new ZooKeeperError('NoAuth', 'not permitted', { op: 'getData' });
    const { current } = setUp({
      b: nodeOf('b'),
      a: nodeOf('a'),
      newer: Buffer.from('{"v":2}'),
      garbage: Buffer.from('\0\xff'),
      liar: nodeOf('a', { zone: 'x' }),
      huge: Buffer.alloc(1_000_000, '['),
      closed: noAuth,
    });
    const fleet = await current();
    expect([fleet.ageMs, fleet.isStale, fleet.problem]).toEqual([0, false, undefined]);
    expect(fleet.hosts.map(({ instanceId }) => instanceId)).toEqual(['a', 'b']);
    expect(fleet.skipped).toEqual({ version: 1, malformed: 2, tooLarge: 1, tooMany: 0, unreadable: 1 });
  });

  it('is read only while somebody asks, and a node only when it changed', async () => {
    const { clock, asked, state, current, stop, pass } = setUp({
      a: nodeOf('a'),
      huge: Buffer.alloc(100_000),
    });
    await pass(600);
    expect(asked).toEqual({ children: 0, data: 0 });
    await current();
    expect(asked).toEqual({ children: 1, data: 1 });
    await pass(59);
    expect(asked).toEqual({ children: 6, data: 1 });
    state.version += 1n;
    await pass(600);
    expect([asked.children, clock.pending]).toEqual([6, 0]);
    await current();
    expect(asked).toEqual({ children: 7, data: 2 });
    stop.abort();
    await clock.advance(0);
    expect(clock.pending).toBe(0);
  });

  it('stays as it was while it cannot be read, and says so', async () => {
    const { state, current, pass } = setUp({ a: nodeOf('a') });
    await current();
    state.failure = new Error('no connection');
    await pass(11);
    const fleet = await current();
    expect(fleet).toMatchObject({ problem: 'no connection', isStale: true, hosts: [{ instanceId: 'a' }] });
    expect(fleet.ageMs).toBe(11_000);
    state.failure = undefined;
    await pass(10);
    expect(await current()).toMatchObject({ ageMs: 1_000, isStale: false });
  });

  it('is stale as soon as there is no connection, and when a reading takes long', async () => {
    const { state, current, pass } = setUp({ a: nodeOf('a') });
    await current();
    state.session = { kind: 'suspended', epoch: 1, since: 0, reason: 'x' };
    expect(await current()).toMatchObject({ isStale: true, problem: 'no connection to ZooKeeper', ageMs: 0 });
    state.session = { kind: 'connected' } as SessionState;
    state.hangs = true;
    await pass(24);
    expect(await current()).toMatchObject({ isStale: false, ageMs: 24_000 });
    await pass(1);
    expect(await current()).toMatchObject({ isStale: true, ageMs: 25_000, hosts: [{ instanceId: 'a' }] });
  });

  it('that cannot be reached at all keeps nobody waiting for long', async () => {
    const { clock, state, current } = setUp({});
    state.hangs = true;
    const answer = current();
    await clock.advance(4_000);
    expect(await answer).toMatchObject({ hosts: [], ageMs: undefined, isStale: true });
  });

  it('has a limit', async () => {
    const nodes = Object.fromEntries(
      Array.from({ length: 5_003 }, (_, index) => [`h${index}`, nodeOf(`h${index}`)]),
    );
    const { clock, current } = setUp(nodes);
    const answer = current();
    for (let round = 0; round < 400; round += 1) await clock.advance(0);
    const fleet = await answer;
    expect([fleet.hosts.length, fleet.skipped.tooMany]).toEqual([5_000, 3]);
  });
});
