import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { createMetrics } from '@smartstack/agent';
import { declareEtcdMetrics, type EtcdClient, EtcdLease } from '@smartstack/registry';
import { describe, expect, it } from 'vitest';
import { type EtcdReporterSettings, etcdReporter } from './etcd.js';
import type { Reporter, ReporterContext } from './reporter.js';

const settings = {
  etcdHosts: ['a:2379'],
  etcdPort: 2379,
  etcdPath: '/s',
  etcdTtl: 30,
} as EtcdReporterSettings;
const instance = { host: 'h', port: 1, name: 'i' };

/** Reporters that share one lease, at an etcd that grants and renews it, and says nothing about keys. */
async function setUp(count: number) {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const asked: string[] = [];
  const client = {
    call: (path: string): Promise<unknown> => {
      asked.push(path);
      if (path.startsWith('/v3/kv')) return new Promise(() => undefined);
      return Promise.resolve({ ID: '7', TTL: '30', header: { revision: '1' }, result: { TTL: '30' } });
    },
    close: () => undefined,
  } as unknown as EtcdClient;
  const metrics = declareEtcdMetrics(createMetrics());
  const lease = new EtcdLease({
    client,
    clock,
    logger,
    metrics,
    cluster: 'a',
    ttlSeconds: 30,
    random: () => 0,
  });
  await clock.advance(0);
  const etcd = { acquire: () => ({ lease, release: () => Promise.resolve() }) };
  const context = { clock, logger, random: () => 0, etcd } as unknown as ReporterContext;
  const registrant = { service: 'web', instanceId: 'i', host: 'h', port: 1 };
  const reporters = Array.from({ length: count }, () => etcdReporter.create(settings, context, registrant));
  return { clock, lease, asked, reporters };
}

const errors = (reporters: readonly Reporter[]): unknown[] =>
  reporters.map(({ state }) => (state.kind === 'pending' ? state.error : state.kind));

describe('the etcd reporter', () => {
  it('tells of a put without an answer after 5 s, of one that has to queue for it later', async () => {
    const { clock, reporters } = await setUp(6);
    for (const reporter of reporters) reporter.report(instance);
    await clock.advance(4_999);
    expect(errors(reporters)).toEqual(Array(6).fill(undefined));
    await clock.advance(1);
    const silent = 'the registry does not answer';
    expect(errors(reporters)).toEqual([...Array<string>(4).fill(silent), undefined, undefined]);
    await clock.advance(25_000);
    expect(errors(reporters)).toEqual(Array(6).fill(silent));
  });

  it('renews its lease, whatever waits', async () => {
    const { clock, lease, asked, reporters } = await setUp(50);
    for (const reporter of reporters) reporter.report(instance);
    await clock.advance(120_000);
    expect(lease.state.kind).toBe('held');
    expect(asked.filter((path) => path === '/v3/lease/keepalive')).toHaveLength(12);
    expect(asked.filter((path) => path === '/v3/kv/txn')).toHaveLength(4);
  });

  it('puts nothing any more once it is disposed of, when its turn comes', async () => {
    const { clock, lease, asked, reporters } = await setUp(1);
    const [reporter] = reporters;
    const ends = [1, 2, 3, 4].map(() => {
      let end = (): void => undefined;
      const ended = new Promise<void>((resolve) => (end = resolve));
      lease.turn(() => ended, new AbortController().signal).catch(() => undefined);
      return end;
    });
    reporter?.report(instance);
    await reporter?.dispose();
    for (const end of ends) end();
    await clock.advance(1_000);
    expect(asked).not.toContain('/v3/kv/txn');
  });
});
