import type { ZkSession } from '@smartstack/registry';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../harness/faultProxy.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import {
  register,
  registrar,
  sourceOf,
  startSynapse,
  stopAfterEach,
  type TestSynapse,
  zookeeper,
} from './bed.ts';

let server: ZooKeeperServer;
let proxy: FaultProxy;
let nerve: ZkSession;
let synapse: TestSynapse;
beforeEach(async () => {
  server = await startZooKeeper();
  proxy = await startFaultProxy(server.port);
  nerve = await registrar(server.address);
  for (const name of ['a', 'b'])
    await register(nerve, '/s/web', name, { host: `10.0.0.${name === 'a' ? 1 : 2}`, port: 80 });
  synapse = await startSynapse({ web: zookeeper(proxy.address, 'web') });
  await synapse.sees('web', both);
});
// Registered before the hook that stops synapse, so that it runs after it.
afterEach(async () => {
  await proxy.close();
  await server.dispose();
});
stopAfterEach();

const both = ['10.0.0.1:80', '10.0.0.2:80'];
const becomes = (source: string) =>
  eventually(() => sourceOf(synapse, 'web') === source, { what: source, timeoutMs: 15_000 });
const neverEmpty = () => synapse.generator.views.every(({ services }) => services[0]?.instances.length !== 0);

it('ZooKeeper is killed and comes back: stale, never empty, then live', async () => {
  await server.kill();
  await becomes('stale');
  await synapse.sees('web', both);
  expect(synapse.synapse.ready().ok).toBe(true);
  await holds(neverEmpty, { what: 'the instances stay', forMs: 500 });
  await server.start();
  await becomes('live');
  await register(nerve, '/s/web', 'c', { host: '10.0.0.3', port: 80 });
  await synapse.sees('web', [...both, '10.0.0.3:80']);
  expect(neverEmpty()).toBe(true);
});

it('ZooKeeper comes back with empty data: the instances stay until new ones come', async () => {
  await server.kill();
  server.wipe();
  await server.start();
  await becomes('previous');
  await synapse.sees('web', both);
  const fresh = await registrar(server.address);
  await register(fresh, '/s/web', 'n', { host: '10.0.0.9', port: 80 });
  await synapse.sees('web', ['10.0.0.9:80']);
  expect(neverEmpty()).toBe(true);
});

it('the session expires: nothing is lost, and later changes are seen', async () => {
  proxy.refuse();
  proxy.cut();
  await becomes('stale');
  // Longer than the session's timeout of 2 s, so that the server ends it.
  await holds(neverEmpty, { what: 'the instances stay', forMs: 3_000 });
  await register(nerve, '/s/web', 'c', { host: '10.0.0.3', port: 80 });
  proxy.heal();
  await synapse.sees('web', [...both, '10.0.0.3:80']);
  const [session] = (synapse.synapse.status() as { zookeeper: { epoch: number }[] }).zookeeper;
  expect(session?.epoch).toBeGreaterThan(1);
});

it('a storm of cuts while instances come and go: the last state is seen', async () => {
  for (let round = 0; round < 15; round += 1) {
    const path = await register(nerve, '/s/web', 'x', { host: '10.0.1.1', port: 1000 + round });
    proxy.cut();
    await holds(neverEmpty, { what: 'the instances stay', forMs: 30 });
    await nerve.delete(path, -1);
  }
  await register(nerve, '/s/web', 'last', { host: '10.0.0.7', port: 80 });
  await synapse.sees('web', [...both, '10.0.0.7:80']);
  await becomes('live');
});

it('stops in time while ZooKeeper hangs', async () => {
  server.pause();
  const start = performance.now();
  await synapse.stop();
  server.resume();
  // It waits 3 s for its session to be closed, and not for ZooKeeper.
  expect(performance.now() - start).toBeLessThan(10_000);
});
