import { setImmediate as turn } from 'node:timers/promises';
import { Refusal } from '@smartstack/agent';
import { FakeClock } from '@smartstack/agent/testing';
import { SessionPool, ZooKeeperError, type ZkSession } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';
import { InstanceReader } from './instances.js';
import { definitionOf } from './testing/definitions.js';

/** A registry of one path, as its test sets it. */
class FakeRegistry {
  nodes = new Map<string, string>([['a_0000000001', '{"host":"10.0.0.1","port":80,"name":"a"}']]);
  answers: 'at once' | 'never' | 'with an error' = 'at once';
  readings = 0;
  open = 0;

  async children(): Promise<{ children: readonly string[] }> {
    this.readings += 1;
    if (this.answers === 'never') await new Promise(() => undefined);
    if (this.answers === 'with an error')
      throw new ZooKeeperError('ConnectionLoss', 'gone', { op: 'getChildren' });
    return { children: [...this.nodes.keys()] };
  }

  data(path: string): Promise<{ data: Buffer }> {
    const text = this.nodes.get(path.slice(path.lastIndexOf('/') + 1)) ?? '';
    if (text === 'secret')
      return Promise.reject(new ZooKeeperError('NoAuth', 'not permitted', { op: 'getData' }));
    if (text === 'gone')
      return Promise.reject(new ZooKeeperError('NoNode', 'no such node', { op: 'getData' }));
    return Promise.resolve({ data: Buffer.from(text) });
  }

  session(): ZkSession {
    this.open += 1;
    return {
      getChildren: () => this.children(),
      getData: (path: string) => this.data(path),
      close: () => {
        this.open -= 1;
        return Promise.resolve();
      },
    } as unknown as ZkSession;
  }
}

function bed() {
  const registry = new FakeRegistry();
  const clock = new FakeClock();
  const reader = new InstanceReader(new SessionPool(() => registry.session()), clock);
  const web = definitionOf('web', {});
  const refused = (of = web): Promise<unknown> => reader.read(of).catch((error: unknown) => error);
  return { registry, clock, reader, web, refused };
}

const a = { host: '10.0.0.1', port: 80, name: 'a', id: 1 };

describe('InstanceReader', () => {
  it('reads a registry, leaves out what it cannot understand or read, and keeps no session', async () => {
    const { registry, reader, web } = bed();
    registry.nodes.set('b_0000000002', '{"host":');
    registry.nodes.set('c_0000000003', 'secret');
    registry.nodes.set('d_0000000004', 'gone');
    const list = await reader.read(web);
    expect(list).toMatchObject({ service: 'web', source: 'live', instances: [a] });
    expect(list.problems.map(({ path }) => path.slice(-12))).toEqual(['b_0000000002', 'c_0000000003']);
    expect(registry.open).toBe(0);
  });

  it('asks once a second at most, and once for all who ask meanwhile', async () => {
    const { registry, clock, reader, web } = bed();
    await Promise.all([reader.read(web), reader.read(web)]);
    registry.nodes.clear();
    expect((await reader.read(web)).instances).toEqual([a]);
    expect(registry.readings).toBe(1);
    await clock.advance(1_000);
    expect((await reader.read(web)).instances).toEqual([]);
    expect(registry.readings).toBe(2);
  });

  it('shows what was read last, as stale, while the registry fails', async () => {
    const { registry, clock, reader, web } = bed();
    await reader.read(web);
    await clock.advance(1_000);
    registry.answers = 'with an error';
    expect(await reader.read(web)).toMatchObject({ source: 'stale', instances: [a] });
    registry.answers = 'at once';
    expect(await reader.read(web)).toMatchObject({ source: 'live', instances: [a] });
  });

  it('waits 3 s for one that hangs, and asks no second time meanwhile', async () => {
    const { registry, clock, refused, web } = bed();
    registry.answers = 'never';
    const answers = [refused(web), refused(web)];
    await turn();
    await clock.advance(3_000);
    for (const answer of await Promise.all(answers)) {
      expect(answer).toBeInstanceOf(Refusal);
      expect(answer).toMatchObject({ status: 503 });
      expect(String(answer)).toContain('it does not answer');
    }
    expect(registry.readings).toBe(1);
  });

  it('refuses what was never read with 503, and what it has no way to read with 501', async () => {
    const { registry, refused } = bed();
    registry.answers = 'with an error';
    expect(await refused()).toMatchObject({ status: 503 });
    const etcd = definitionOf('db', { reporter_type: 'etcd', etcd_host: 'e', etcd_path: '/db' });
    expect(await refused(etcd)).toMatchObject({ status: 501 });
    expect(String(await refused(etcd))).toContain('db is registered with etcd');
  });

  it('forgets what it read of services that are gone, or are somewhere else now', async () => {
    const { registry, reader, web } = bed();
    await reader.read(web);
    registry.nodes.clear();
    expect((await reader.read(definitionOf('web', { zk_path: '/elsewhere' }))).instances).toEqual([]);
    reader.keep(new Set());
    await reader.read(web);
    expect(registry.readings).toBe(3);
  });
});
