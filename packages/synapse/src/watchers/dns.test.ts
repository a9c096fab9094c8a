import { FakeClock } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { FakeNames, WatcherBed } from '../testing/index.js';
import { dnsWatcherOver } from './dns.js';

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
  expect(clock.pending).toBe(0);
});

async function watch(servers: readonly object[], more: object = {}): Promise<void> {
  const watcher = dnsWatcherOver(names.open);
  bed.run(watcher.create(watcher.options.parse({ method: 'dns', servers, ...more }), bed.context));
  await clock.advance(0);
}
const web = { host: 'web.test', port: 80 };
const servfail = new Error('queryA ESERVFAIL web.test');

describe('method dns', () => {
  it('lists the addresses of each name in order, and addresses as they are, as Ruby does', async () => {
    names.addresses.set('4 web.test', ['10.0.0.9', '10.0.0.10']);
    await watch([
      { host: '192.0.2.1', port: '81', name: 'fixed', labels: { az: 'a' } },
      { ...web, name: 'web', weight: 3, haproxy_server_options: 'backup' },
    ]);
    expect(bed.last).toEqual({
      status: 'live',
      instances: [
        { host: '192.0.2.1', port: 81, name: 'fixed', labels: { az: 'a' } },
        { host: '10.0.0.10', port: 80, name: 'web', weight: 3, haproxyServerOptions: 'backup' },
        { host: '10.0.0.9', port: 80, name: 'web', weight: 3, haproxyServerOptions: 'backup' },
      ],
    });
  });

  it('takes IPv6 addresses where the machine has one itself, or is told to', async () => {
    names.addresses.set('4 web.test', ['10.0.0.1']);
    names.addresses.set('6 web.test', ['2001:db8::1']);
    await watch([web, { ...web, type: 'aaaa', port: 81 }]);
    expect(bed.addresses).toEqual(['10.0.0.1:80', '2001:db8::1:81']);
    names.usesIPv6 = true;
    await clock.advance(30_000);
    expect(bed.addresses).toEqual(['10.0.0.1:80', '2001:db8::1:80', '2001:db8::1:81']);
  });

  it.each([
    ['check_interval is shorter', {}, 300, 30_000],
    ['the time to live is shorter', {}, 10, 10_000],
    ['the time to live is nothing', {}, 0, 5_000],
    ['check_interval is less than the floor', { check_interval: 2 }, 0, 2_000],
    ['check_interval is nothing', { check_interval: 0 }, 60, 1_000],
  ])('looks again when it should: %s', async (_, more, ttl, expectedMs) => {
    names.addresses.set('4 web.test', ['10.0.0.1']);
    names.ttl = ttl;
    await watch([web], more);
    await clock.advance(expectedMs - 1);
    expect(names.asked).toHaveLength(1);
    await clock.advance(1);
    expect(names.asked).toHaveLength(2);
  });

  it('takes a name that does not exist (any more) for an empty list, and no answer for none', async () => {
    names.addresses.set('4 web.test', servfail);
    await watch([web]);
    expect(bed.snapshots).toEqual([]);
    names.addresses.delete('4 web.test');
    await clock.advance(5_000);
    expect(bed.last).toEqual({ status: 'live', instances: [] });
    names.addresses.set('4 web.test', ['10.0.0.1']);
    await clock.advance(30_000);
    expect(bed.addresses).toEqual(['10.0.0.1:80']);
    names.addresses.set('4 web.test', servfail);
    await clock.advance(30_000);
    expect(bed.last).toMatchObject({
      status: 'stale',
      instances: [{ host: '10.0.0.1' }],
      problems: [{ path: 'dns', reason: 'web.test: queryA ESERVFAIL web.test' }],
    });
    // One for each look that failed: the first, and this one.
    const failed = 'synapse.watcher.dns.resolve_failed service_name:web';
    expect(bed.sent).toEqual([failed, failed]);
    names.addresses.set('4 web.test', []);
    await clock.advance(5_000);
    expect(bed.last).toEqual({ status: 'live', instances: [] });
  });

  it('keeps what a name was that is not answered, and takes what is new of the others', async () => {
    names.addresses.set('4 web.test', ['10.0.0.1']);
    names.addresses.set('4 api.test', ['10.0.1.1']);
    await watch([web, { host: 'api.test', port: 80 }]);
    names.addresses.set('4 web.test', servfail);
    names.addresses.set('4 api.test', ['10.0.1.2']);
    await clock.advance(30_000);
    expect([bed.status, bed.addresses]).toEqual(['stale', ['10.0.0.1:80', '10.0.1.2:80']]);
  });

  it('goes on without a family that the server never answers for', async () => {
    names.usesIPv6 = true;
    names.addresses.set('4 web.test', ['10.0.0.1']);
    names.addresses.set('6 web.test', servfail);
    await watch([web]);
    expect(bed.last).toEqual({ status: 'live', instances: [{ host: '10.0.0.1', port: 80 }] });
  });

  it('does not wait for ever for a name server that hangs', async () => {
    names.addresses.set('4 web.test', ['10.0.0.1']);
    await watch([web]);
    names.hangs = true;
    await clock.advance(30_000 + 30_000);
    expect(bed.status).toBe('stale');
    names.hangs = false;
    await clock.advance(5_000);
    expect(bed.status).toBe('live');
  });

  it('asks for a name once, however many servers have it, and those name servers that it was given', async () => {
    await watch([web, { ...web, port: 81 }], { nameserver: '192.0.2.53' });
    expect(names.asked).toEqual(['4 web.test']);
    expect(names.opened).toEqual([['192.0.2.53']]);
  });
});

describe('SRV records', () => {
  const record = (name: string, port: number, priority = 1, weight = 0) => ({ name, port, priority, weight });
  const srv = { host: '_web._tcp.test', type: 'srv', name: 'web' };

  it('give ports, weights, and backups; their order is not that of the answer', async () => {
    names.addresses.set('4 a.test', ['10.0.0.1']);
    names.addresses.set('4 b.test', ['10.0.0.2']);
    names.services.set(srv.host, [
      record('b.test', 81, 2, 5),
      record('b.test', 80, 1, 0),
      record('a.test', 80, 1, 1024),
      record('a.test', 0),
      record('.', 80),
    ]);
    await watch([srv]);
    expect(bed.instances).toEqual([
      { host: '10.0.0.1', port: 80, name: 'web', weight: 256 },
      { host: '10.0.0.2', port: 80, name: 'web', weight: 1 },
      { host: '10.0.0.2', port: 81, name: 'web', weight: 1, haproxyServerOptions: 'backup' },
    ]);
    expect(bed.problems).toEqual(['_web._tcp.test: An SRV record without a port']);
  });

  it('stay when nobody answers for them, or for a target', async () => {
    names.addresses.set('4 a.test', ['10.0.0.1']);
    names.services.set(srv.host, [record('a.test', 80)]);
    await watch([srv]);
    names.services.set(srv.host, servfail);
    await clock.advance(30_000);
    expect([bed.status, bed.addresses]).toEqual(['stale', ['10.0.0.1:80']]);
    names.services.set(srv.host, [record('a.test', 80)]);
    names.addresses.set('4 a.test', servfail);
    await clock.advance(5_000);
    expect([bed.status, bed.addresses]).toEqual(['stale', ['10.0.0.1:80']]);
    names.services.set(srv.host, []);
    await clock.advance(5_000);
    expect([bed.status, bed.addresses]).toEqual(['live', []]);
  });
});

describe('keys of method dns', () => {
  it('may lack a port of a server where the service has one for all', () => {
    const { options, portless } = dnsWatcherOver(names.open);
    const servers = [web, { host: 'a' }, { host: 'b', type: 'srv' }];
    const lacking = portless?.(options.parse({ method: 'dns', servers }));
    expect(lacking?.map(({ path }) => path.join('.'))).toEqual(['servers.1.port']);
  });

  it.each([
    [{ servers: [] }, 'servers'],
    [{ servers: [web], nameserver: 'ns.test' }, 'nameserver'],
    [{ servers: [web], check_interval: -1 }, 'check_interval'],
  ])('%j is refused', (keys, path) => {
    const { error } = dnsWatcherOver(names.open).options.safeParse({ method: 'dns', ...keys });
    expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });

  it.each(['192.0.2.1', '192.0.2.1:5353', '2001:db8::1', '[2001:db8::1]:53'])(
    '%s is a name server',
    (nameserver) => {
      const { options } = dnsWatcherOver(names.open);
      expect(options.parse({ method: 'dns', servers: [web], nameserver }).nameserver).toEqual([nameserver]);
    },
  );
});
