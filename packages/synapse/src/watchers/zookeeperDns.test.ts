import { FakeClock } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { FakeNames, WatcherBed } from '../testing/index.js';
import { zookeeperDnsPollWatcherOver, zookeeperDnsWatcherOver } from './zookeeperDns.js';

let clock: FakeClock;
let names: FakeNames;
let bed: WatcherBed;
beforeEach(() => {
  clock = new FakeClock();
  names = new FakeNames();
  bed = new WatcherBed(clock);
});
afterEach(async () => {
  await bed.stop();
  await clock.advance(0);
  expect(bed.session.leases).toBe(0);
  expect(clock.pending).toBe(0);
});

function watch(more: object = {}) {
  const { options, create } = zookeeperDnsWatcherOver(names.open);
  const given = options.parse({ method: 'zookeeper_dns', hosts: ['a:1'], path: '/s', ...more });
  bed.run(create(given, bed.context));
  return bed.session.watch('/s');
}
const web = (more: object = {}) => JSON.stringify({ host: 'web.test', port: 80, ...more });

describe('method zookeeper_dns', () => {
  it('resolves the hosts that are registered, again and again, and when the registry changes', async () => {
    const children = watch({ nameserver: ['192.0.2.53'] });
    await clock.advance(60_000);
    expect([bed.snapshots, names.asked]).toEqual([[], []]);
    names.addresses.set('4 web.test', ['10.0.0.2', '10.0.0.1']);
    children.read({ web_0000000007: web() });
    await clock.advance(0);
    expect(bed.instances).toEqual([
      { host: '10.0.0.1', port: 80, id: 7 },
      { host: '10.0.0.2', port: 80, id: 7 },
    ]);
    names.addresses.set('4 web.test', ['10.0.0.3']);
    await clock.advance(30_000);
    expect(bed.addresses).toEqual(['10.0.0.3:80']);
    children.read({ web_0000000007: web(), fixed_0000000008: '{"host":"192.0.2.1","port":1}' });
    await clock.advance(0);
    expect(bed.addresses).toEqual(['10.0.0.3:80', '192.0.2.1:1']);
    expect(names.opened.every((servers) => servers?.join() === '192.0.2.53')).toBe(true);
  });

  it('is stale when either ZooKeeper or the name server is away, and never empty by that', async () => {
    const children = watch();
    names.addresses.set('4 web.test', ['10.0.0.1']);
    children.read({ web_1: web() });
    await clock.advance(0);
    children.lose();
    expect([bed.status, bed.addresses]).toEqual(['stale', ['10.0.0.1:80']]);
    children.read({ web_1: web() });
    await clock.advance(0);
    expect(bed.status).toBe('live');
    names.addresses.set('4 web.test', new Error('ESERVFAIL'));
    await clock.advance(30_000);
    expect([bed.status, bed.addresses]).toEqual(['stale', ['10.0.0.1:80']]);
    expect(bed.problems).toEqual(['dns: web.test: ESERVFAIL']);
    expect(bed.sent.filter((name) => name.includes('.dns.'))).toEqual([
      'synapse.watcher.dns.resolve_failed service_name:web',
    ]);
    // A name that was never resolved is no reason to drop the one that was.
    names.addresses.set('4 new.test', new Error('ESERVFAIL'));
    children.read({ new_2: web({ host: 'new.test' }) });
    await clock.advance(0);
    expect([bed.status, bed.addresses]).toEqual(['stale', ['10.0.0.1:80']]);
    children.read({});
    await clock.advance(0);
    expect([bed.status, bed.addresses]).toEqual(['live', []]);
  });

  it('honours decode, weights, options, generator blocks and discovery_jitter, which Ruby drops here (trap 19)', async () => {
    names.addresses.set('4 web.test', ['10.0.0.1']);
    const endpoint = { host: 'web.test', port: 80, weight: 3, haproxy_server_options: 'backup' };
    const children = watch({ decode: { method: 'serverset' }, discovery_jitter: 3 });
    expect(children.options.jitterMs).toBe(3_000);
    const member = JSON.stringify({ serviceEndpoint: { ...endpoint, labels: { az: 'a' } }, shard: 4 });
    children.read({ member_0000000001: member }, '{"haproxy":{"port":7}}');
    await clock.advance(0);
    expect(bed.last).toEqual({
      status: 'live',
      generatorConfig: { haproxy: { port: 7 } },
      instances: [
        {
          ...{ host: '10.0.0.1', port: 80, name: '4', id: 1, weight: 3 },
          ...{ haproxyServerOptions: 'backup', labels: { az: 'a' } },
        },
      ],
    });
  });

  it('tells of bad children as zookeeper does', async () => {
    names.addresses.set('4 web.test', ['10.0.0.1']);
    watch().read({ web_1: web(), bad_2: 'garbage' });
    await clock.advance(0);
    expect(bed.addresses).toEqual(['10.0.0.1:80']);
    expect(bed.problems).toEqual(['/s/bad_2: Not JSON']);
    expect(bed.undecodable).toBe(1);
  });
});

describe('method zookeeper_dns_poll', () => {
  it('asks both now and then, and honours generator_config_path, which Ruby drops here (trap 19)', async () => {
    const { options, create } = zookeeperDnsPollWatcherOver(names.open);
    const given = options.parse({
      ...{ method: 'zookeeper_dns_poll', hosts: ['a:1'], path: '/s', check_interval: 10 },
      ...{ polling_interval_sec: 20, generator_config_path: '/conf' },
    });
    names.addresses.set('4 web.test', ['10.0.0.1']);
    bed.session.nodes = { '/s': '', '/s/a_1': web(), '/conf': '{"haproxy":{"port":2}}' };
    bed.run(create(given, bed.context));
    await clock.advance(0);
    expect(bed.last).toMatchObject({ status: 'live', generatorConfig: { haproxy: { port: 2 } } });
    names.addresses.set('4 web.test', ['10.0.0.2']);
    await clock.advance(10_000);
    expect(bed.addresses).toEqual(['10.0.0.2:80']);
    bed.session.nodes = { '/s': '', '/s/a_1': web({ port: 81 }), '/conf': '' };
    await clock.advance(10_000);
    expect(bed.addresses).toEqual(['10.0.0.2:81']);
    expect(bed.session.watches).toEqual([]);
  });
});
