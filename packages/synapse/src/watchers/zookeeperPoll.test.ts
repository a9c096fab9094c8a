import { FakeClock } from '@smartstack/agent/testing';
import { ZooKeeperError } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { WatcherBed } from '../testing/index.js';
import { zookeeperPollWatcher } from './zookeeperPoll.js';

let clock: FakeClock;
let bed: WatcherBed;
beforeEach(() => {
  clock = new FakeClock();
  bed = new WatcherBed(clock);
});
afterEach(async () => {
  await bed.stop();
  await clock.advance(0);
  expect(bed.session.leases).toBe(0);
  expect(clock.pending).toBe(0);
});

async function watch(more: object = {}): Promise<void> {
  const { options, create } = zookeeperPollWatcher;
  const given = options.parse({ method: 'zookeeper_poll', hosts: ['a:1'], path: '/s', ...more });
  bed.run(create(given, bed.context));
  await clock.advance(0);
}
const plain = (host: string) => JSON.stringify({ host, port: 80 });
const encoded =
  'base64_88_eyJob3N0IjoiMTI3LjAuNS45IiwicG9ydCI6ODA4MCwibmFtZSI6ImVuYyIsImxhYmVscyI6eyJheiI6ImEifX0=_0000000002';

describe('method zookeeper_poll', () => {
  it('reads every minute, or as often as it is told, and sets no watches', async () => {
    bed.session.nodes = { '/s': '{"haproxy":{"port":1}}', '/s/a_1': plain('a') };
    await watch();
    expect(bed.last).toEqual({
      status: 'live',
      instances: [{ host: 'a', port: 80, id: 1 }],
      generatorConfig: { haproxy: { port: 1 } },
    });
    bed.session.nodes = { '/s': '', '/s/b_2': plain('b') };
    await clock.advance(59_999);
    expect(bed.addresses).toEqual(['a:80']);
    await clock.advance(1);
    expect(bed.addresses).toEqual(['b:80']);
    expect(bed.session.watches).toEqual([]);
  });

  it.each([
    [5, 5_000],
    [0, 500],
  ])('with polling_interval_sec %i reads every %i ms', async (polling_interval_sec, expected) => {
    bed.session.nodes = { '/s': '' };
    await watch({ polling_interval_sec });
    bed.session.reads.length = 0;
    await clock.advance(expected - 1);
    expect(bed.session.reads).toEqual([]);
    await clock.advance(1);
    expect(bed.session.reads).toEqual(['/s', '/s']);
  });

  it('reads no data of names that tell everything, and takes what is missing for an empty list', async () => {
    bed.session.nodes = { '/s': '', [`/s/${encoded}`]: 'never read', '/s/bad_1': 'garbage' };
    await watch();
    expect(bed.addresses).toEqual(['127.0.5.9:8080']);
    expect(bed.problems).toEqual(['/s/bad_1: Not JSON']);
    expect(bed.session.reads).not.toContain(`/s/${encoded}`);
    bed.session.nodes = {};
    await clock.advance(60_000);
    expect(bed.last).toEqual({ status: 'live', instances: [] });
  });

  it('is stale while ZooKeeper does not answer, and reads as soon as it is back', async () => {
    bed.session.nodes = { '/s': '', '/s/a_1': plain('a') };
    await watch();
    bed.session.turn('suspended');
    expect([bed.status, bed.addresses]).toEqual(['stale', ['a:80']]);
    bed.session.turn('connected');
    await clock.advance(0);
    expect(bed.status).toBe('live');
    bed.session.nodes = {
      '/s': '',
      '/s/a_1': new ZooKeeperError('OperationTimeout', 'slow', { op: 'getData' }),
    };
    await clock.advance(60_000);
    expect([bed.status, bed.addresses]).toEqual(['stale', ['a:80']]);
    expect(bed.logger.records.map(({ message }) => message)).toEqual(['cannot read a watched path']);
    bed.session.nodes = {
      '/s': '',
      '/s/a_1': plain('b'),
      '/s/secret_2': new ZooKeeperError('NoAuth', 'no', { op: 'getData' }),
    };
    await clock.advance(5_000);
    expect([bed.status, bed.addresses]).toEqual(['live', ['b:80']]);
    expect(bed.problems).toEqual(['/s/secret_2: getData: no']);
  });

  it('counts its readings as Ruby does, those that fail too', async () => {
    bed.session.nodes = { '/s': '', '/s/a_1': plain('a'), '/conf': '' };
    await watch({ generator_config_path: '/conf' });
    const place = 'zk_cluster:a: zk_path:/s';
    const reading = [
      'synapse.watcher.zookeeper_poll.discover',
      `synapse.watcher.zk.discovery ${place} service_name:web`,
      `synapse.watcher.zk.discovery.elapsed_time ${place} service_name:web`,
      `synapse.watcher.zk.children.bytes ${place}`,
    ];
    expect(bed.sent).toEqual(reading);
    await clock.advance(60_000);
    expect(bed.sent).toEqual([...reading, ...reading]);
    bed.sent.length = 0;
    bed.session.nodes = { '/s': new ZooKeeperError('OperationTimeout', 'slow', { op: 'getData' }) };
    await clock.advance(60_000);
    expect(bed.sent).toEqual(['synapse.watcher.zookeeper_poll.discover']);
    bed.session.nodes = {};
    await clock.advance(5_000);
    expect(bed.sent).toContain('synapse.watcher.zk.children.failed zk_cluster:a: service_name:web');
  });

  it('asks for a generator_config_path as well', async () => {
    bed.session.nodes = { '/s': '', '/s/a_1': plain('a'), '/conf': '{"haproxy":{"port":2}}' };
    await watch({ generator_config_path: '/conf' });
    expect(bed.last).toMatchObject({ generatorConfig: { haproxy: { port: 2 } } });
    await clock.advance(60_000);
    expect(bed.session.reads.filter((path) => path === '/conf')).toHaveLength(4);
  });
});
