import type { ZkSession } from '@smartstack/registry';
import { type Vm, type VmOptions, onCleanUp, prepareVm, registrar } from '../discovery/bed.ts';
import { askSocket } from '../harness/haproxy.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import type { Suspect } from './descriptors.ts';
import { addressesOf, type Fleet, startFleet } from './fleet.ts';
import type { Random } from './random.ts';
import { pathOf, Registrations } from './registrations.ts';
import { type Clients, startTraffic, type Traffic } from './traffic.ts';

/** A service of a scenario. */
export interface ServicePlan {
  readonly name: string;
  readonly mode: 'http' | 'tcp';
}

/** What every scenario stands on: a registry, instances, and a VM that uses them. */
export interface LoadBed {
  readonly zookeeper: ZooKeeperServer;
  readonly session: ZkSession;
  readonly vm: Vm;
  readonly fleet: Fleet;
  readonly services: readonly ServicePlan[];
}

/** What the file of a service says; `line` is one of its backend's, for changes that need a reload. */
export function serviceText(
  { zookeeper, vm }: Pick<LoadBed, 'zookeeper' | 'vm'>,
  { name, mode }: ServicePlan,
  line = 'timeout server 70s',
): string {
  return [
    `discovery: {method: zookeeper, hosts: ['${zookeeper.address}'], path: ${pathOf(name)}}`,
    'haproxy:',
    `  port: ${vm.ports[name]}`,
    // A short pool: what is idle is closed within the time that a test waits for it.
    '  server_options: check inter 2s pool-purge-delay 1s',
    `  listen: [mode ${mode}]`,
    // What a dying instance did not answer at all is asked of another one.
    `  backend: ["${line}"${mode === 'http' ? ', retry-on conn-failure empty-response' : ''}]`,
    '',
  ].join('\n');
}

/** Prepares all; neither synapse nor any load runs yet. */
export async function prepareBed(
  services: readonly ServicePlan[],
  instances: number,
  options: VmOptions = {},
): Promise<LoadBed> {
  const zookeeper = await startZooKeeper({ config: ['minSessionTimeout=400'] });
  onCleanUp(() => zookeeper.dispose());
  const session = await registrar(zookeeper.address);
  const fleet = await startFleet(addressesOf(20, instances));
  onCleanUp(() => fleet.stop());
  const vm = await prepareVm(
    zookeeper.address,
    services.map(({ name }) => name),
    {
      ...options,
      agent: ['reconcile: {startup_deadline: 5}', 'zookeeper: {session_timeout: 10}', 'mass_loss: {hold: 3}'],
      settings: { use_nerve_weights: true, state_file_path: undefined, ...options.settings },
    },
  );
  const bed = { zookeeper, session, vm, fleet, services };
  for (const plan of services) {
    await session.mkdirp(pathOf(plan.name));
    vm.service(plan.name, serviceText(bed, plan));
  }
  return bed;
}

/** Registrations of each service, each with an equal share of the fleet's addresses. */
export function registrationsOf(bed: LoadBed, random: Random): readonly Registrations[] {
  const { services, fleet, session } = bed;
  const share = Math.floor(fleet.addresses.length / services.length);
  return services.map(({ name, mode }, i) => {
    const addresses = fleet.addresses.slice(i * share, (i + 1) * share);
    const port = mode === 'http' ? fleet.httpPort : fleet.tcpPort;
    return new Registrations(session, name, { addresses, port, random });
  });
}

/** Users of every service: for HTTP on new and on kept connections, with short and with slow answers; for TCP echoes. */
export async function startUsers(bed: LoadBed, perKind: number, timeoutMs: number): Promise<Traffic> {
  const clients = bed.services.flatMap(({ name, mode }): Clients[] => {
    const common = { port: bed.vm.ports[name]!, count: perKind };
    if (mode === 'tcp') return [{ ...common, kind: 'tcp', paceMs: 100 }];
    return [
      { ...common, kind: 'fresh', paceMs: 20 },
      { ...common, kind: 'keep-alive', paceMs: 20 },
      { ...common, kind: 'stream', paceMs: 100 },
    ];
  });
  const traffic = await startTraffic({ clients, timeoutMs });
  onCleanUp(() => traffic.kill());
  return traffic;
}

/** How often synapse has had HAProxy loaded anew, by reason, from its metrics; those that failed apart. Empty means never. */
export async function reloadsOf(vm: Vm): Promise<Readonly<Record<string, number>>> {
  const { body } = await vm.admin('/metrics');
  const lines = body.matchAll(/^smartstack_haproxy_reload_total\{(.*)\} (\d+)$/gm);
  return Object.fromEntries(
    [...lines].map(([, labels = '', count]): [string, number] => {
      const label = (name: string): string | undefined =>
        new RegExp(`\\b${name}="([^"]+)"`).exec(labels)?.[1];
      const failed = label('result') === 'failure' ? ' (failed)' : '';
      return [`${label('reason')}${failed}`, Number(count)];
    }),
  );
}

/** Reloads since `before`, by reason; empty when there was none. */
export async function reloadsSince(
  vm: Vm,
  before: Readonly<Record<string, number>>,
): Promise<Readonly<Record<string, number>>> {
  const now = Object.entries(await reloadsOf(vm));
  const more = now.map(([reason, count]): [string, number] => [reason, count - (before[reason] ?? 0)]);
  return Object.fromEntries(more.filter(([, count]) => count > 0));
}

/** The processes that could leak: synapse, and the HAProxies of these masters with their admin sockets. */
export async function suspectsOf(
  vm: Vm,
  masters: readonly number[],
  adminSockets: readonly string[],
): Promise<readonly Suspect[]> {
  const workers = await Promise.all(
    adminSockets.map(async (adminSocket, i): Promise<Suspect> => {
      const pid = Number(/^Pid: (\d+)$/m.exec(await askSocket(adminSocket, 'show info'))?.[1]);
      return { name: `worker ${i + 1} of HAProxy`, pid, adminSocket };
    }),
  );
  return [
    { name: 'synapse', pid: vm.synapse.pid },
    ...masters.map((pid, i) => ({ name: `master ${i + 1} of HAProxy`, pid })),
    ...workers,
  ];
}
