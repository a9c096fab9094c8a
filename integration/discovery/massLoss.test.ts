import type { ZkSession } from '@smartstack/registry';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { startLoad } from '../harness/load.ts';
import type { Upstream } from '../harness/upstream.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import {
  cleanUpAfterEach,
  prepareVm,
  register,
  registrar,
  serviceFile,
  upstream,
  type Vm,
  type VmOptions,
} from './bed.ts';

let server: ZooKeeperServer;
/** Stays. */
let one: ZkSession;
/** Will be lost, with all that it registered. */
let others: ZkSession;
let first: Upstream;
let rest: Upstream[];

beforeEach(async () => {
  server = await startZooKeeper();
  one = await registrar(server.address);
  others = await registrar(server.address);
  first = await upstream('a');
  rest = await Promise.all(['b', 'c', 'd', 'e'].map((name) => upstream(name)));
  await register(one, 'web', first);
  for (const each of rest) await register(others, 'web', each);
});
// Registered before the hook that cleans up, so that it runs after it.
afterEach(() => server.dispose());
cleanUpAfterEach();

const all = ['a', 'b', 'c', 'd', 'e'];

async function startVm(more = 'mass_loss: {hold: 300}', options: VmOptions = {}, text?: string): Promise<Vm> {
  const vm = await prepareVm(server.address, ['web'], options);
  const port = vm.ports.web!;
  // A server that dies in the middle of a request costs none.
  const usual = serviceFile(server.address, 'web', port, more).replace(
    'listen:',
    'backend: [retry-on conn-failure empty-response], listen:',
  );
  vm.service('web', text?.replace('PORT', String(port)) ?? usual);
  await vm.start();
  await vm.serves('web', all);
  return vm;
}

const startUsers = (vm: Vm) =>
  startLoad({ port: vm.ports.web!, clients: 2, connections: 'fresh', maxRequests: 100_000, paceMs: 5 });

async function heldBy(vm: Vm): Promise<number> {
  const { body } = await vm.admin('/status');
  const { services } = JSON.parse(body) as { services: readonly { name: string; held: number }[] };
  return services.find(({ name }) => name === 'web')?.held ?? Number.NaN;
}

it('most registrations vanish at once: what lives goes on serving, what died does not, and those that return are as before', async () => {
  const vm = await startVm();
  const worker = await vm.worker();
  const load = startUsers(vm);
  await others.close({ deadlineMs: 500 });
  await eventually(async () => (await heldBy(vm)) === 4, { what: 'four are held' });
  await vm.serves('web', all);
  expect((await vm.admin('/metrics')).body).toContain('smartstack_discovery_held_instances{service="web"} 4');
  const { body } = await vm.admin('/v1/instances/web');
  const listed = JSON.parse(body) as { instances: readonly { name: string; held?: true }[] };
  expect(listed.instances.filter(({ held }) => held).map(({ name }) => name)).toEqual(
    expect.arrayContaining(['b', 'c', 'd', 'e']),
  );
  // One of them really dies: HAProxy's check finds it.
  await rest[0]!.stop();
  await vm.serves('web', ['a', 'c', 'd', 'e']);
  const again = await registrar(server.address);
  for (const each of rest.slice(1)) await register(again, 'web', each);
  await eventually(async () => (await heldBy(vm)) === 1, { what: 'only the dead one is held' });
  await vm.serves('web', ['a', 'c', 'd', 'e']);
  expect((await load.stop()).failures).toEqual([]);
  expect(await vm.worker()).toBe(worker);
});

it('the registrations of the living vanish and those of the dead stay: no request fails', async () => {
  const vm = await startVm();
  const load = startUsers(vm);
  await first.stop();
  await others.close({ deadlineMs: 500 });
  await eventually(async () => (await heldBy(vm)) === 4, { what: 'four are held' });
  await vm.serves('web', ['b', 'c', 'd', 'e']);
  expect((await load.stop()).failures).toEqual([]);
});

it('what does not return is let go when its time is over', async () => {
  const vm = await startVm('mass_loss: {hold: 2}');
  await others.close({ deadlineMs: 500 });
  await eventually(async () => (await heldBy(vm)) === 4, { what: 'four are held' });
  await vm.serves('web', ['a']);
  expect(await heldBy(vm)).toBe(0);
});

it.each([
  [
    'HAProxy does not check them',
    `discovery: {method: zookeeper, hosts: ['ZK'], path: /s/web}\nmass_loss: {hold: 300}\nhaproxy: {port: PORT, listen: [mode http]}\n`,
    {},
  ],
  [
    'the service wants no protection',
    `discovery: {method: zookeeper, hosts: ['ZK'], path: /s/web}\nmass_loss: false\nhaproxy: {port: PORT, server_options: check inter 1s, listen: [mode http]}\n`,
    {},
  ],
])('they go at once where %s', async (_, text, options) => {
  const vm = await startVm('', options, text.replace('ZK', server.address));
  await others.close({ deadlineMs: 500 });
  await vm.serves('web', ['a']);
});
