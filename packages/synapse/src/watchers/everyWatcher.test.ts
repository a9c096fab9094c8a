import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import { FakeClock } from '@smartstack/agent/testing';
import type { ListedKey } from '@smartstack/registry';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Watcher } from '../catalog/types.js';
import { FakeNames, type WatcherBed } from '../testing/index.js';
import {
  bedOf,
  far,
  garbage,
  instanceText,
  type Played,
  polled,
  spoken,
  startWatcher,
  watched,
} from '../testing/playedSource.js';
import { dnsWatcherOver } from './dns.js';
import { createWatcher, discoverySchema, watchers } from './index.js';
import { createPluginWatcher } from './plugin.js';
import { maxInstances } from '../catalog/limit.js';
import type { WatcherContext } from './types.js';
import { zookeeperDnsPollWatcherOver, zookeeperDnsWatcherOver } from './zookeeperDns.js';

const znodes = (run: (bed: WatcherBed) => void) => watched(run, onTestFinished);
const readZnodes = (run: (bed: WatcherBed) => void) => polled(run, onTestFinished);
const overHttp = (
  discoveryOf: (address: string) => object,
  bodyOf: (hosts: readonly string[], evil: boolean) => string,
) => spoken(discoveryOf, bodyOf, onTestFinished);

const evilValues: readonly unknown[] = [null, 7, 'x', [], { Ports: 'x', host: {} }];

const games: Readonly<
  Record<Exclude<keyof typeof watchers, 'base'> | 'module', () => Played | Promise<Played>>
> = {
  zookeeper: () => znodes((bed) => startWatcher(bed, { method: 'zookeeper', hosts: 'a:1', path: '/s' })),
  zookeeper_poll: () =>
    readZnodes((bed) => startWatcher(bed, { method: 'zookeeper_poll', hosts: 'a:1', path: '/s' })),
  zookeeper_dns: () =>
    znodes((bed) => {
      const { options, create } = zookeeperDnsWatcherOver(new FakeNames().open);
      bed.run(create(options.parse({ method: 'zookeeper_dns', hosts: 'a:1', path: '/s' }), bed.context));
    }),
  zookeeper_dns_poll: () =>
    readZnodes((bed) => {
      const { options, create } = zookeeperDnsPollWatcherOver(new FakeNames().open);
      bed.run(create(options.parse({ method: 'zookeeper_dns_poll', hosts: 'a:1', path: '/s' }), bed.context));
    }),
  multi: () =>
    znodes((bed) => {
      const one = { method: 'zookeeper', hosts: 'a:1' };
      startWatcher(bed, {
        method: 'multi',
        resolver: { method: 'union' },
        watchers: { a: { ...one, path: '/s' } },
      });
    }),
  dns: () => {
    const [clock, names] = [new FakeClock(), new FakeNames()];
    const bed = bedOf(clock, onTestFinished);
    names.addresses.set('4 web.test', new Error('ESERVFAIL'));
    const { options, create } = dnsWatcherOver(names.open);
    bed.run(create(options.parse({ method: 'dns', servers: [{ host: 'web.test', port: 80 }] }), bed.context));
    return {
      bed,
      // What a name server says is read by the library, which knows addresses only.
      tell: (hosts) => names.addresses.set('4 web.test', hosts),
      lose: () => names.addresses.set('4 web.test', new Error('ESERVFAIL')),
      turn: () => clock.advance(far),
    };
  },
  etcd: () => {
    const bed = bedOf(systemClock, onTestFinished);
    let listener: Parameters<WatcherContext['etcd']['watch']>[2] | undefined;
    const watch: WatcherContext['etcd']['watch'] = (_settings, _prefix, found, signal) => {
      listener = found;
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    };
    const options = discoverySchema({ method: 'etcd' }).parse({ method: 'etcd', hosts: 'a:1', path: '/s' });
    bed.run(createWatcher(options, { ...bed.context, etcd: { watch } }));
    const keyOf = (text: string): ListedKey =>
      ({
        ...{ value: Buffer.from(text), createRevision: '1', modRevision: String(Math.random()) },
      }) as unknown as ListedKey;
    return {
      bed,
      tell: (hosts, evil = false) =>
        listener?.onKeys(
          new Map([
            ...hosts.map((host, at) => [`/s/n${at}`, keyOf(instanceText(host))] as const),
            ...(evil ? [['/s/bad', keyOf(garbage)] as const, ['/s/worse', keyOf('\0')] as const] : []),
          ]),
        ),
      lose: () => listener?.onLost('it is away'),
      turn: () => Promise.resolve(),
    };
  },
  file: () => {
    const folder = mkdtempSync(join(tmpdir(), 'every-watcher-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'list.json');
    const bed = bedOf(systemClock, onTestFinished);
    startWatcher(bed, { method: 'file', file_path: path });
    return {
      bed,
      tell: (hosts, evil = false) =>
        writeFileSync(
          path,
          JSON.stringify([...hosts.map((host) => ({ host, port: 80 })), ...(evil ? evilValues : [])]),
        ),
      lose: () => rmSync(path),
      turn: () => new Promise((resolve) => setTimeout(resolve, 20)),
    };
  },
  consul: () =>
    overHttp(
      (hosts) => ({ method: 'consul', hosts, service: 'web', wait: 1 }),
      (hosts, evil) =>
        JSON.stringify([
          ...hosts.map((Address, at) => ({
            Node: { Node: `n${at}` },
            Service: { ID: `w${at}`, Address, Port: 80 },
          })),
          ...(evil ? evilValues : []),
        ]),
    ),
  docker: () =>
    overHttp(
      (address) => {
        const [host, port] = address.split(':');
        const server = { name: 'here', host, port: Number(port) };
        return {
          method: 'docker',
          image_name: 'web',
          container_port: 80,
          check_interval: 0.02,
          servers: [server],
        };
      },
      (hosts, evil) =>
        // All of a daemon's are at its own address: here they differ by port.
        JSON.stringify([
          ...hosts.map((_, at) => ({
            ...{ Id: String(at), Image: 'web' },
            Ports: [{ PrivatePort: 80, PublicPort: at + 1, Type: 'tcp' }],
          })),
          ...(evil ? evilValues : []),
        ]),
    ),
  marathon: () =>
    overHttp(
      (address) => ({
        ...{ method: 'marathon', marathon_api_url: `http://${address}`, application_name: 'web' },
        check_interval: 0.02,
      }),
      (hosts, evil) =>
        JSON.stringify({
          tasks: [
            ...hosts.map((host, at) => ({ id: `t${at}`, host, ports: [80], startedAt: 'now' })),
            ...(evil ? evilValues : []),
          ],
        }),
    ),
  ec2tag: () => {
    const keys = { aws_access_key_id: 'a', aws_secret_access_key: 'b', aws_region: 'eu-west-1' };
    onTestFinished(() => void vi.unstubAllEnvs());
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    return overHttp(
      (address) => {
        vi.stubEnv('AWS_ENDPOINT_URL', `http://${address}`);
        return { method: 'ec2tag', tag_name: 'role', tag_value: 'web', check_interval: 0.02, ...keys };
      },
      (hosts, evil) => {
        const item = (at: number, ip: string): string =>
          `<item><instanceId>i-${at}</instanceId>${ip}<privateDnsName>i-${at}.x</privateDnsName></item>`;
        const items = hosts.map((host, at) => item(at, `<privateIpAddress>${host}</privateIpAddress>`));
        const all = [...items, ...(evil ? [item(-1, ''), '<item></item>'] : [])].join('');
        return `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item><instancesSet>${all}</instancesSet></item></reservationSet></DescribeInstancesResponse>`;
      },
    );
  },
  module: () => {
    const bed = bedOf(systemClock, onTestFinished);
    let said: ((snapshot: unknown) => void) | undefined;
    let last: readonly unknown[] = [];
    const made: Watcher = {
      run: (emit, signal) => {
        said = emit as (snapshot: unknown) => void;
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    };
    const use = { options: {}, kind: { create: () => made } };
    const discovery = { method: 'plug-in', kind: 'mine', module: '/m.js', use };
    const options = discovery as unknown as Parameters<typeof createPluginWatcher>[0];
    bed.run(createPluginWatcher(options, bed.context));
    return {
      bed,
      tell: (hosts, evil = false) => {
        last = [...hosts.map((host) => ({ host, port: 80 })), ...(evil ? evilValues : [])];
        said?.({ status: 'live', instances: last });
      },
      lose: () => said?.({ status: 'stale', instances: last }),
      turn: () => Promise.resolve(),
    };
  },
};

const hostsOf = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
const three = hostsOf(3);

describe.each(Object.entries(games))('a watcher of %s', (method, play) => {
  /** Until the last snapshot has so many instances. */
  const has = ({ bed, turn }: Played, status: 'live' | 'stale', count: number): Promise<void> =>
    vi.waitFor(
      async () => {
        await turn();
        expect([bed.status, bed.instances?.length]).toEqual([status, count]);
      },
      { timeout: 15_000, interval: 10 },
    );

  it('knows nothing before its source does, and has all of it in each snapshot after that', async () => {
    const source = await play();
    await source.turn();
    await source.turn();
    expect(source.bed.snapshots.filter(({ status }) => status !== 'pending')).toEqual([]);
    source.tell(three);
    await has(source, 'live', 3);
    source.tell(three.slice(1));
    await has(source, 'live', 2);
    source.tell(hostsOf(4));
    await has(source, 'live', 4);
  });

  it('keeps what it knew while its source is away, and is empty only when the source says so', async () => {
    const source = await play();
    source.tell(three);
    await has(source, 'live', 3);
    source.lose();
    await has(source, 'stale', 3);
    await source.turn();
    await source.turn();
    const counts = source.bed.snapshots.flatMap((each) =>
      each.status === 'pending' ? [] : [each.instances.length],
    );
    expect(new Set(counts)).toEqual(new Set([3]));
    source.tell([]);
    await has(source, 'live', 0);
  });

  it('leaves out what is no instance, and nothing else', async () => {
    const source = await play();
    source.tell(three, true);
    await has(source, 'live', 3);
    source.tell(hostsOf(2));
    await has(source, 'live', 2);
  });

  it('takes no more than a service can have', async () => {
    const source = await play();
    source.tell(three);
    await has(source, 'live', 3);
    const over = maxInstances + 50;
    if (method === 'module') {
      // Whoever supervises it starts it again; what it said stays.
      expect(() => source.tell(hostsOf(over))).toThrow(`more than ${maxInstances} instances`);
      expect(source.bed.instances).toHaveLength(3);
      return;
    }
    source.tell(hostsOf(over));
    // Of these a service may have many that its filters leave out: the catalog counts.
    if (['zookeeper', 'zookeeper_poll', 'multi'].includes(method)) {
      await has(source, 'live', over);
      return;
    }
    await vi.waitFor(
      async () => {
        await source.turn();
        expect(source.bed.problems.join()).toMatch(/[Mm]ore than/);
      },
      { timeout: 20_000 },
    );
    expect(source.bed.instances!.length).toBeGreaterThanOrEqual(3);
    expect(source.bed.instances!.length).toBeLessThanOrEqual(maxInstances);
  });
});

it('of no other method is there a watcher, but for the one without any source', () => {
  const played = Object.keys(games).filter((name) => name !== 'module');
  expect([...played, 'base'].toSorted()).toEqual(Object.keys(watchers).toSorted());
});
