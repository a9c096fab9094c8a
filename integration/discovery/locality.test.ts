import { readFileSync } from 'node:fs';
import type { ZkPath, ZkSession } from '@smartstack/registry';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ExplainedServer, Explanation, ServiceLine } from '../../packages/synapse/src/explain/shapes.ts';
import { eventually } from '../harness/eventually.ts';
import { startLoad } from '../harness/load.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { cleanUpAfterEach, onCleanUp, registrar, startVm, upstream, type Vm } from './bed.ts';

let server: ZooKeeperServer;
beforeAll(async () => {
  server = await startZooKeeper();
});
afterAll(() => server.dispose());
cleanUpAfterEach();

type Labels = Readonly<Record<string, unknown>>;
const zone = { zone: 'a', region: '1' };
/** The registrar wrote a number, and the zone of this name is another's. */
const region = { zone: 'b', region: 1 };
const elsewhere = { zone: 'a', region: '2' };

async function register(session: ZkSession, each: Upstream, labels?: Labels): Promise<ZkPath> {
  const { host, port, identity: name } = each;
  await session.mkdirp('/s/web');
  const data = Buffer.from(JSON.stringify({ host, port, name, ...(labels && { labels }) }));
  return session.create(`/s/web/${name}_`, data, 'ephemeral_sequential');
}

/** A VM in zone a of region 1, where the service `web` prefers what is near. */
async function startNear(haproxy: Readonly<Record<string, unknown>>): Promise<Vm> {
  const vm = await startVm(server.address, ['web'], {
    agent: [
      'reconcile: {startup_deadline: 1}',
      'zookeeper: {session_timeout: 3}',
      'location: {zone: a, region: {env: REGION}}',
    ],
    env: { REGION: '1' },
  });
  const block = { port: vm.ports.web, locality: { levels: ['zone', 'region'] }, ...haproxy };
  const discovery = { method: 'zookeeper', hosts: [server.address], path: '/s/web' };
  vm.service('web', JSON.stringify({ discovery, haproxy: block }));
  await eventually(() => readFileSync(vm.configFile, 'utf8').includes('backend web.zone from'), {
    what: 'the file has the tiers',
  });
  return vm;
}

/** The tier that `synapse services` shows. */
async function tierOf(vm: Vm): Promise<string | undefined> {
  const { services } = JSON.parse((await vm.admin('/v1/services')).body) as { services: ServiceLine[] };
  return services.find(({ service }) => service === 'web')?.tier;
}

/** The servers of the service as `synapse why` has them, by the name of the instance. */
async function serversOf(vm: Vm): Promise<Readonly<Record<string, ExplainedServer>>> {
  const { servers } = JSON.parse((await vm.admin('/v1/services/web/why')).body) as Explanation;
  return Object.fromEntries(
    servers.map((one): [string, ExplainedServer] => [one.server.split('_')[0] ?? '', one]),
  );
}

async function restart({ identity, host, port }: Upstream): Promise<void> {
  const again = await startHttpUpstream({ identity, host, port });
  onCleanUp(() => again.stop());
}

it('near instances serve; failing these wider ones, one level after the other, and back: no failed request, no reload', async () => {
  const session = await registrar(server.address);
  const start = (identity: string) => upstream(identity);
  const [n1, n2, r1, r2, f1, bare] = [
    ...[await start('n1'), await start('n2'), await start('r1')],
    ...[await start('r2'), await start('f1'), await start('bare')],
  ];
  for (const each of [n1, n2]) await register(session, each!, zone);
  for (const each of [r1, r2]) await register(session, each!, region);
  await register(session, f1!, elsewhere);
  await register(session, bare!);
  const vm = await startNear({
    server_options: 'check inter 200 fall 2 rise 1',
    // What a killed server had not answered yet is asked of another.
    backend: ['retry-on conn-failure empty-response'],
  });
  await vm.serves('web', ['n1', 'n2']);
  expect(await tierOf(vm)).toBe('zone');
  const near = await serversOf(vm);
  expect(near.n1).toMatchObject({ tier: 'zone', takesTraffic: true });
  expect(near.n1).not.toHaveProperty('standsBy');
  expect(near.r1).toMatchObject({ tier: 'region', takesTraffic: true, standsBy: true });
  const reasons = near.r1!.steps.map(({ detail }) => detail);
  expect(reasons).toContain('not in zone: its zone is "b", here it is "a"');
  expect(near.bare).toMatchObject({ standsBy: true });
  expect(near.bare).not.toHaveProperty('tier');
  const worker = await vm.worker();
  const load = startLoad({
    port: vm.ports.web!,
    clients: 3,
    connections: 'fresh',
    maxRequests: 100_000,
    paceMs: 5,
  });

  const counted = async (name: string): Promise<number> => {
    const { body } = await vm.admin('/metrics');
    expect(body).not.toContain('dst_service="web@zone"');
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(body)?.[1]);
  };
  /** Until HAProxy knows: two dead ones that it believes in can take all retries of one request. */
  const haveUp = (count: number) =>
    eventually(async () => (await counted('smartstack_backends{state="up"}')) === count, {
      what: `${count} servers are up`,
      timeoutMs: 20_000,
    });

  await n1!.stop();
  await vm.serves('web', ['n2', 'r1', 'r2']);
  await haveUp(5);
  expect(await tierOf(vm)).toBe('region');
  await n2!.stop();
  await vm.serves('web', ['r1', 'r2']);
  await haveUp(4);
  await r1!.stop();
  await vm.serves('web', ['r2', 'f1', 'bare']);
  await haveUp(3);
  await r2!.stop();
  await vm.serves('web', ['f1', 'bare']);
  await haveUp(2);
  expect(await tierOf(vm)).toBe('all');

  await restart(r1!);
  await restart(r2!);
  await vm.serves('web', ['r1', 'r2']);
  await restart(n1!);
  await vm.serves('web', ['n1', 'r1', 'r2']);
  await restart(n2!);
  await vm.serves('web', ['n1', 'n2']);

  // Instances come and go in every tier.
  const n3 = await register(session, await start('n3'), zone);
  await vm.serves('web', ['n1', 'n2', 'n3']);
  await session.delete(n3, -1);
  await vm.serves('web', ['n1', 'n2']);

  const { failures, requests } = await load.stop();
  expect(failures).toEqual([]);
  expect(await vm.worker()).toBe(worker);
  // Each server is one, and each request, whatever tier it went to.
  await haveUp(6);
  await eventually(async () => (await counted('smartstack_request_total{dst_service="web"}')) >= requests, {
    what: 'all requests are counted for the service',
    timeoutMs: 10_000,
  });
});
