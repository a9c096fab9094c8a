import { describe, expect, it } from 'vitest';
import { listener, machine, process } from '../../testing/machine.js';
import { planFor } from './plan.js';

const services = (host: ReturnType<typeof machine>) =>
  planFor(host).proposals.map(({ service, port, host: at, guess }) => [service, port, at, guess?.kind]);
const reasons = (host: ReturnType<typeof machine>) =>
  planFor(host).skipped.map(({ port, why }) => [port, why]);

describe('planFor', () => {
  it('makes one of what an owner has on several addresses and in several processes', () => {
    const host = machine([
      [listener('0.0.0.0', 80), process('nginx', { pid: 10, unit: 'nginx.service' })],
      [listener('::', 80), process('nginx', { pid: 11, unit: 'nginx.service' })],
    ]);
    expect(planFor(host).proposals).toMatchObject([
      { service: 'nginx', from: 'its unit', addresses: ['0.0.0.0', '::'], host: '10.0.0.5' },
    ]);
  });

  it('publishes the address that others reach', () => {
    const host = machine([
      [listener('10.1.0.9', 80), process('a', { pid: 1 })],
      [listener('::', 81), process('b', { pid: 2 })],
      [listener('2001:db8::5', 82), process('c', { pid: 3 })],
      [listener('127.0.0.1', 83), process('d', { pid: 4 })],
      [listener('10.1.0.9', 83), process('d', { pid: 4 })],
    ]);
    expect(services(host)).toEqual([
      ['a', 80, '10.1.0.9', undefined],
      ['b', 81, '10.0.0.5', undefined],
      ['c', 82, '2001:db8::5', undefined],
      ['d', 83, '10.1.0.9', undefined],
    ]);
    expect(planFor({ ...host, address: undefined }).proposals[1]?.host).toBeUndefined();
  });

  it.each([
    ['redis-server', 'redis', 6379],
    ['valkey-server', 'redis', 6379],
    ['postgres', 'postgres', 5432],
    ['mariadbd', 'mysql', 3306],
  ])('knows %s by its process', (name, kind, port) => {
    expect(services(machine([[listener('0.0.0.0', port), process(name)]]))).toEqual([
      [name, port, '10.0.0.5', kind],
    ]);
    expect(services(machine([[listener('0.0.0.0', 7001), process(name)]]))[0]?.[3]).toBe(kind);
    // Unseen, by its port.
    expect(services(machine([[listener('0.0.0.0', port), undefined]]))).toEqual([
      [kind, port, '10.0.0.5', kind],
    ]);
    // Something else on that port.
    expect(services(machine([[listener('0.0.0.0', port), process('myproxy')]]))[0]?.[3]).toBeUndefined();
  });

  it('checks only the main port of a server, and gives it the name', () => {
    const rabbit = process('beam.smp', { unit: 'rabbitmq-server.service' });
    const redis = process('redis-server', { pid: 9 });
    const host = machine([
      [listener('0.0.0.0', 5671), rabbit],
      [listener('0.0.0.0', 5672), rabbit],
      [listener('0.0.0.0', 15_672), rabbit],
      [listener('0.0.0.0', 16_379), redis],
      [listener('127.0.0.1', 6379), redis],
    ]);
    expect(services(host)).toEqual([
      ['rabbitmq-server-5671', 5671, '10.0.0.5', undefined],
      ['rabbitmq-server', 5672, '10.0.0.5', 'rabbitmq'],
      ['rabbitmq-server-15672', 15_672, '10.0.0.5', undefined],
      ['redis-server', 16_379, '10.0.0.5', undefined],
    ]);
  });

  it('gives every service a name of its own', () => {
    const host = machine([
      [listener('0.0.0.0', 80), process('web', { pid: 1 })],
      [listener('0.0.0.0', 81), process('web', { pid: 2 })],
      [listener('0.0.0.0', 82), process('web-81', { pid: 3 })],
      [listener('10.0.0.5', 83), process('x', { pid: 4 })],
      [listener('10.1.0.9', 83), process('x', { pid: 5 })],
    ]);
    expect(services(host).map(([name]) => name)).toEqual(['web-80', 'web-81-2', 'web-81', 'x-83', 'x-83-2']);
  });

  it('names what it cannot see after its user, or its port', () => {
    const host = machine([
      [{ ...listener('0.0.0.0', 80), uid: 33 }, undefined],
      [{ ...listener('0.0.0.0', 81), uid: 0 }, undefined],
      [{ ...listener('0.0.0.0', 82), uid: 4711 }, undefined],
      [listener('0.0.0.0', 83), process('docker-proxy', { unit: 'docker.service' })],
    ]);
    expect(services(host).map(([name]) => name)).toEqual(['www-data', 'port-81', 'port-82', 'port-83']);
  });

  it('leaves out what nobody should find, and says why', () => {
    const script = (file: string, pid: number) => process('node', { pid, argv: ['node', file] });
    const host = machine([
      [listener('0.0.0.0', 22), process('sshd', { pid: 1 })],
      [listener('0.0.0.0', 2222), process('dropbear', { pid: 2 })],
      [listener('0.0.0.0', 3454), script('/usr/bin/nerve', 3)],
      [listener('0.0.0.0', 3456), script('/opt/smartstack/packages/synapse/bin/synapse.js', 4)],
      [listener('127.0.0.1', 3213), process('haproxy', { pid: 5 })],
      [listener('127.0.0.1', 3000), process('rails', { pid: 6 })],
      [listener('fe80::1', 3001), process('rails', { pid: 6 })],
      [listener('0.0.0.0', 40_000), process('rpc', { pid: 7 })],
      [listener('0.0.0.0', 111), process('systemd', { pid: 8 })],
    ]);
    expect(services(host)).toEqual([]);
    expect(reasons(host)).toEqual([
      [22, expect.stringContaining('administrators')],
      [111, expect.stringContaining('operating system')],
      [2222, expect.stringContaining('administrators')],
      [3000, expect.stringContaining('such as 10.0.0.5')],
      [3001, expect.stringContaining('link-local')],
      [3213, expect.stringContaining('HAProxy')],
      [3454, 'nerve itself'],
      [3456, expect.stringContaining('synapse')],
      [40_000, expect.stringContaining('32768 to 60999')],
    ]);
  });

  it('takes a ZooKeeper of this machine for the registry, with all its ports', () => {
    const java = process('java', {
      argv: ['java', '-cp', 'x', 'org.apache.zookeeper.server.quorum.QuorumPeerMain', 'zoo.cfg'],
    });
    const seen = machine([
      [listener('::', 2181), java],
      [listener('::', 8080), java],
      [listener('::', 41_111), java],
    ]);
    expect(planFor(seen)).toMatchObject({ proposals: [], zooKeeper: '10.0.0.5:2181' });
    expect(planFor(machine([[listener('127.0.0.1', 2181), undefined]])).zooKeeper).toBe('127.0.0.1:2181');
    expect(planFor(machine([[listener('2001:db8::5', 2181), java]])).zooKeeper).toBe('[2001:db8::5]:2181');
    expect(planFor(machine([[listener('::', 2181), process('other')]]))).toMatchObject({
      proposals: [{ service: 'other' }],
      zooKeeper: undefined,
    });
  });
});
