import { beforeEach, describe, expect, it } from 'vitest';
import { cleanUpAfterEach } from '../discovery/bed.ts';
import { eventually, holds } from '../harness/eventually.ts';
import type { FaultProxy } from '../harness/faultProxy.ts';
import { freePort } from '../harness/ports.ts';
import { startHttpUpstream } from '../harness/upstream.ts';
import type { ZooKeeperServer } from '../harness/zookeeper.ts';
import { children, childrenOf, observe } from '../nerve/bed.ts';
import { inStep, linkTo, logOf, newUser, newZooKeeper, pathOf, startHost, startPair } from './bed.ts';

cleanUpAfterEach();
const web = pathOf('web');
const sessionMs = 3_000;
let server: ZooKeeperServer;

const nodes = async (session: ReturnType<typeof observe>): Promise<readonly string[]> =>
  (await children(session, web)).map(({ path }) => path).sort();

describe('ZooKeeper', () => {
  it('is killed and comes back: the same nodes, no failed request, no reload', async () => {
    server = await newZooKeeper();
    await server.start();
    const { host, vm, traffic, worker } = await startPair({ nerve: server.address, synapse: server.address });
    const session = observe(server.address);
    const before = await nodes(session);
    await server.kill();
    await server.start();
    await inStep(host);
    await host.offer('web', 'c');
    await vm.serves('web', ['a', 'b', 'c']);
    const after = await nodes(session);
    expect(after).toHaveLength(3);
    expect(after).toEqual(expect.arrayContaining([...before]));
    await traffic.noneFailed();
    expect(await vm.worker()).toBe(worker);
  });

  it('is away for longer than the sessions: one node for each instance, no failed request, no reload', async () => {
    server = await newZooKeeper(sessionMs);
    await server.start();
    const { host, vm, traffic, worker } = await startPair({ nerve: server.address, synapse: server.address });
    await server.kill();
    // An instance leaves and another comes meanwhile.
    await host.killApp('b');
    await host.offer('web', 'c');
    await holds(async () => (await vm.ask('web')) === 'a', {
      what: 'the one that lives serves',
      forMs: sessionMs + 1_500,
    });
    await server.start();
    await vm.serves('web', ['a', 'c']);
    const session = observe(server.address);
    await childrenOf(session, web, 2);
    await inStep(host);
    await holds(async () => (await nodes(session)).length === 2, { what: 'no other node', forMs: 500 });
    await traffic.noneFailed();
    expect(await vm.worker()).toBe(worker);
  });

  it('loses its data: registered again within seconds, with the usual long sessions', async () => {
    server = await newZooKeeper(60_000);
    await server.start();
    const addresses = { nerve: server.address, synapse: server.address };
    const { host, vm, traffic, worker } = await startPair(addresses, { agent: [] });
    await server.kill();
    server.wipe();
    await server.start();
    const served = performance.now();
    const session = observe(server.address);
    await childrenOf(session, web, 2);
    expect(performance.now() - served).toBeLessThan(20_000);
    await host.offer('web', 'c');
    await vm.serves('web', ['a', 'b', 'c']);
    await inStep(host);
    await traffic.noneFailed();
    expect(await vm.worker()).toBe(worker);
  });

  it('comes after both agents: default servers serve when the wait is over, then what is registered', async () => {
    server = await newZooKeeper();
    const fallback = await startHttpUpstream({ identity: 'fallback', port: await freePort() });
    const host = await startHost(server.address, 'host-1');
    await host.offer('web', 'a');
    const vm = await newUser(
      server.address,
      {},
      `default_servers: [{name: fallback, host: 127.0.0.1, port: ${fallback.port}}]`,
    );
    await vm.start();
    expect(await vm.ask('web')).toBe('fallback');
    // The wait is 1 s here, and 5 s where nobody says; without the start of node and of HAProxy, as the log has them.
    const log = logOf(vm.synapse.output);
    const at = (message: string): number =>
      Date.parse(String(log.find((line) => line.message === message)?.timestamp));
    const haproxyMs = Number(log.find(({ message }) => message === 'haproxy started')?.ms);
    const waitedMs = at('haproxy started') - haproxyMs - at('starting');
    expect(waitedMs).toBeGreaterThan(990);
    expect(waitedMs).toBeLessThan(5_000);
    const worker = await vm.worker();
    expect((await host.nerve.get('/readyz')).status).toBe(503);
    await server.start();
    await vm.serves('web', ['a']);
    await inStep(host);
    expect(await vm.worker()).toBe(worker);
    await fallback.stop();
  });
});

describe('the session', () => {
  let nerveLink: FaultProxy;
  let synapseLink: FaultProxy;
  beforeEach(async () => {
    server = await newZooKeeper(sessionMs);
    await server.start();
    nerveLink = await linkTo(server);
    synapseLink = await linkTo(server);
  });
  const addresses = () => ({ nerve: nerveLink.address, synapse: synapseLink.address });

  it('of nerve expires: other hosts serve alone, then all again, each with one node', async () => {
    const { host, vm, traffic, worker } = await startPair(addresses());
    const other = await startHost(server.address, 'host-2');
    await other.offer('web', 'c');
    await vm.serves('web', ['a', 'b', 'c']);
    const session = observe(server.address);
    nerveLink.refuse();
    nerveLink.cut();
    await childrenOf(session, web, 1);
    await vm.serves('web', ['c']);
    nerveLink.heal();
    await vm.serves('web', ['a', 'b', 'c']);
    expect(await nodes(session)).toHaveLength(3);
    expect(host.nerve.output).toContain('ZooKeeper session expired');
    await traffic.noneFailed();
    expect(await vm.worker()).toBe(worker);
  });

  it('of a nerve that stands still expires, with the only instances: they go on serving', async () => {
    const { host, vm, traffic, worker } = await startPair(addresses());
    const session = observe(server.address);
    const before = await nodes(session);
    host.nerve.signal('SIGSTOP');
    await childrenOf(session, web, 0);
    await vm.serves('web', ['a', 'b']);
    host.nerve.signal('SIGCONT');
    await childrenOf(session, web, 2);
    expect(await nodes(session)).not.toEqual(before);
    await vm.serves('web', ['a', 'b']);
    await traffic.noneFailed();
    expect(await vm.worker()).toBe(worker);
  });

  it('of a synapse that stands still expires: HAProxy serves, then it is brought up to date', async () => {
    const { host, vm, traffic, worker } = await startPair(addresses());
    vm.synapse.signal('SIGSTOP');
    await host.killApp('b');
    await host.offer('web', 'c');
    await holds(async () => (await vm.ask('web')) === 'a', {
      what: 'the one that lives serves',
      forMs: sessionMs + 1_500,
    });
    vm.synapse.signal('SIGCONT');
    await vm.serves('web', ['a', 'c']);
    await eventually(() => vm.synapse.output.includes('ZooKeeper session expired'), { what: 'it says so' });
    await traffic.noneFailed();
    expect(await vm.worker()).toBe(worker);
  });
});
