import type { ZkSession } from '@smartstack/registry';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../harness/faultProxy.ts';
import { killTree } from '../harness/haproxy.ts';
import { type Load, startLoad } from '../harness/load.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { cleanUpAfterEach, register, registrar, startVm, upstream, type Vm } from './bed.ts';

let server: ZooKeeperServer;
let proxy: FaultProxy;
let nerve: ZkSession;
let vm: Vm;
let load: Load;

beforeEach(async () => {
  server = await startZooKeeper();
  proxy = await startFaultProxy(server.port);
  nerve = await registrar(server.address);
  for (const name of ['a', 'b']) await register(nerve, 'web', await upstream(name));
  vm = await startVm(proxy.address, ['web']);
  await vm.serves('web', ['a', 'b']);
  load = startLoad({
    port: vm.ports.web!,
    clients: 2,
    connections: 'fresh',
    maxRequests: 100_000,
    paceMs: 5,
  });
});
// Registered before the hook that cleans up, so that it runs after it.
afterEach(async () => {
  await proxy.close();
  await server.dispose();
});
cleanUpAfterEach();

/** Something new in the registry arrives: everything converged. */
async function converges(identity: string, others: readonly string[]): Promise<void> {
  const session = await registrar(server.address);
  await register(session, 'web', await upstream(identity));
  await vm.serves('web', [...others, identity]);
}
const routes = async (): Promise<boolean> => (await vm.ask('web')) !== undefined;

it('ZooKeeper is killed and comes back', async () => {
  const worker = await vm.worker();
  await server.kill();
  await holds(routes, { what: 'the route works', forMs: 1_500 });
  await server.start();
  await eventually(() => nerve.state.kind === 'connected', {
    what: 'the registrar is back',
    timeoutMs: 15_000,
  });
  await converges('c', ['a', 'b']);
  expect((await load.stop()).failures).toEqual([]);
  expect(await vm.worker()).toBe(worker);
});

it('ZooKeeper comes back with empty data', async () => {
  await server.kill();
  server.wipe();
  await server.start();
  await holds(routes, { what: 'the route works', forMs: 4_000 });
  await converges('c', []);
  expect((await load.stop()).failures).toEqual([]);
});

it("synapse's session expires (trap 26): no exit, no reload, and its metric says so", async () => {
  proxy.refuse();
  proxy.cut();
  await holds(routes, { what: 'the route works', forMs: 4_000 });
  proxy.heal();
  await converges('c', ['a', 'b']);
  expect((await load.stop()).failures).toEqual([]);
  expect((await vm.admin('/metrics')).body).toMatch(/smartstack_zk_session_expired_total\{[^}]*\} [1-9]/);
});

it('synapse is killed and starts again while ZooKeeper is down', async () => {
  const worker = await vm.worker();
  await server.kill();
  await vm.synapse.stop('SIGKILL');
  await vm.start();
  await holds(routes, { what: 'the route works', forMs: 500 });
  await vm.serves('web', ['a', 'b']);
  expect(await vm.worker()).toBe(worker);
  await server.start();
  await eventually(() => nerve.state.kind === 'connected', {
    what: 'the registrar is back',
    timeoutMs: 15_000,
  });
  await converges('c', ['a', 'b']);
  expect((await load.stop()).failures).toEqual([]);
  expect(await vm.worker()).toBe(worker);
});

it('synapse is killed and starts again when the data are wiped', async () => {
  await vm.synapse.stop('SIGKILL');
  await server.kill();
  server.wipe();
  await server.start();
  await vm.start();
  await holds(routes, { what: 'the route works', forMs: 1_000 });
  await vm.serves('web', ['a', 'b']);
  await converges('c', []);
  expect((await load.stop()).failures).toEqual([]);
});

it('HAProxy is killed: it comes back with what the registry says', async () => {
  const master = await vm.master();
  await load.stop();
  await killTree(master);
  await vm.serves('web', ['a', 'b']);
  expect(await vm.master()).not.toBe(master);
  await converges('c', ['a', 'b']);
});

it('HAProxy and synapse are killed, with ZooKeeper down', async () => {
  await load.stop();
  await server.kill();
  await vm.synapse.stop('SIGKILL');
  await killTree(await vm.master());
  await vm.start();
  await vm.serves('web', ['a', 'b']);
  await server.start();
  await eventually(() => nerve.state.kind === 'connected', {
    what: 'the registrar is back',
    timeoutMs: 15_000,
  });
  await converges('c', ['a', 'b']);
});
