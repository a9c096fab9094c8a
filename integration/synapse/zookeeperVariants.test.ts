import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Dnsmasq, startDnsmasq } from '../harness/dnsmasq.ts';
import { eventually } from '../harness/eventually.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { register, registrar, sourceOf, startSynapse, stopAfterEach } from './bed.ts';

let server: ZooKeeperServer;
let names: Dnsmasq;
beforeAll(async () => {
  [server, names] = await Promise.all([startZooKeeper(), startDnsmasq()]);
});
afterAll(() => Promise.all([server.dispose(), names.dispose()]));
stopAfterEach();

describe('zookeeper_poll, zookeeper_dns and zookeeper_dns_poll', () => {
  it('follow a real ZooKeeper and a real name server, and outlive both', async () => {
    names.hosts({ 'a.svc.test': ['10.0.0.1'] });
    const nerve = await registrar(server.address);
    const discovery = (method: string, more: string): string =>
      `discovery: {method: ${method}, hosts: ['${server.address}'], path: /s/web, ${more}}\n` +
      'use_previous_backends: false\n';
    const poll = 'polling_interval_sec: 0.5';
    const dns = `check_interval: 1, nameserver: '${names.address}'`;
    const synapse = await startSynapse({
      poll: discovery('zookeeper_poll', poll),
      dns: discovery('zookeeper_dns', dns),
      both: discovery('zookeeper_dns_poll', `${poll}, ${dns}`),
    });
    const all = async (byName: readonly string[], byAddress: readonly string[]): Promise<void> => {
      await synapse.sees('poll', byName);
      await synapse.sees('dns', byAddress);
      await synapse.sees('both', byAddress);
    };
    await all([], []);
    const first = await register(nerve, '/s/web', 'a', { host: 'a.svc.test', port: 80 });
    await all(['a.svc.test:80'], ['10.0.0.1:80']);
    names.hosts({ 'a.svc.test': ['10.0.0.2'] });
    await all(['a.svc.test:80'], ['10.0.0.2:80']);

    await names.kill();
    await server.kill();
    for (const name of ['poll', 'dns', 'both'])
      await eventually(() => sourceOf(synapse, name) === 'stale', {
        what: `${name} is stale`,
        timeoutMs: 15_000,
      });
    await all(['a.svc.test:80'], ['10.0.0.2:80']);
    await Promise.all([server.start(), names.start()]);
    for (const name of ['poll', 'dns', 'both'])
      await eventually(() => sourceOf(synapse, name) === 'live', {
        what: `${name} is live`,
        timeoutMs: 15_000,
      });
    await nerve.delete(first, -1);
    await all([], []);
    expect(synapse.log.records.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
