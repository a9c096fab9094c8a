import { eventually } from '../harness/eventually.ts';
import { askSocket, haproxyPaths, workersOf } from '../harness/haproxy.ts';
import {
  type LoadBed,
  prepareBed,
  registrationsOf,
  reloadsOf,
  reloadsSince,
  serviceText,
  type ServicePlan,
  startUsers,
} from './bed.ts';
import { awaitInStep } from './inStep.ts';
import { Random } from './random.ts';
import type { Tally } from './traffic.ts';

/** Reloads under load, each because the lines of a service changed. */
export interface ReloadsOptions {
  readonly reloads: number;
  /** Users of each service and kind. */
  readonly users: number;
}

/** What it came to. */
export interface ReloadsReport {
  readonly tally: Tally;
  /** By reason. */
  readonly reloads: Readonly<Record<string, number>>;
  /** Most old workers at once: they stay until the requests that they have are answered. */
  readonly mostOldWorkers: number;
  readonly tookMs: number;
}

const services: readonly ServicePlan[] = [
  { name: 'web', mode: 'http' },
  { name: 'echo', mode: 'tcp' },
];

/** Changes a line of a service and waits until HAProxy has a new worker; every second time synapse is told to look. */
async function reloadOnce(bed: LoadBed, count: number): Promise<number> {
  const { vm } = bed;
  const { masterSocket } = haproxyPaths(vm.folder);
  const before = await vm.worker();
  const plan = services[count % services.length]!;
  vm.service(plan.name, serviceText(bed, plan, `timeout server ${71 + count}s`));
  if (count % 4 < 2) vm.synapse.signal('SIGHUP');
  let old = 0;
  await eventually(
    async () => {
      const now = await askSocket(masterSocket, 'show proc');
      old = Math.max(old, workersOf(now, 'old workers').length);
      return workersOf(now)[0] !== before;
    },
    { what: `reload ${count + 1} is done`, timeoutMs: 30_000, intervalMs: 20 },
  );
  return old;
}

/** Runs it. Throws when a reload does not come, or when an old worker stays for good. */
export async function runReloads(options: ReloadsOptions): Promise<ReloadsReport> {
  const bed = await prepareBed(services, 20);
  const { vm, session } = bed;
  for (const each of registrationsOf(bed, new Random(1))) await each.fill(8);
  await vm.start();
  const { masterSocket } = haproxyPaths(vm.folder);
  const names = services.map(({ name }) => name);
  const places = { session, services: names, configFile: vm.configFile, adminSockets: [vm.adminSocket] };
  await awaitInStep(places, 30_000);
  const before = await reloadsOf(vm);
  const traffic = await startUsers(bed, options.users, 60_000);
  const started = performance.now();
  let mostOldWorkers = 0;
  for (let count = 0; count < options.reloads; count += 1)
    mostOldWorkers = Math.max(mostOldWorkers, await reloadOnce(bed, count));
  const tookMs = performance.now() - started;
  await awaitInStep(places, 30_000);
  const tally = await traffic.stop();
  await eventually(
    async () => workersOf(await askSocket(masterSocket, 'show proc'), 'old workers').length === 0,
    { what: 'the old workers have ended', timeoutMs: 30_000, intervalMs: 50 },
  );
  return { tally, reloads: await reloadsSince(vm, before), mostOldWorkers, tookMs };
}
