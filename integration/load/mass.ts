import { onCleanUp } from '../discovery/bed.ts';
import { startFaultProxy } from '../harness/faultProxy.ts';
import { prepareBed, reloadsOf, reloadsSince, type ServicePlan, startUsers } from './bed.ts';
import { awaitRegistered, startHosts } from './hosts.ts';
import { awaitInStep } from './inStep.ts';
import type { Tally } from './traffic.ts';

/** The sessions of all hosts expire at once, under load, and all return. */
export interface MassOptions {
  readonly instances: number;
  readonly hosts: number;
  readonly rounds: number;
  /** So many of every ten instances die when the last sessions expire, and do not return. */
  readonly dyingOfTen: number;
  /** Users of each service and kind. */
  readonly users: number;
}

/** What it came to. */
export interface MassReport {
  readonly tally: Tally;
  readonly reloads: Readonly<Record<string, number>>;
  /** How long the registry was empty, and from the return of the network until all were in step, in milliseconds. */
  readonly rounds: readonly { readonly emptyMs: number; readonly backMs: number }[];
  /** Servers at the end. */
  readonly servers: number;
}

const services: readonly ServicePlan[] = [
  { name: 'web', mode: 'http' },
  { name: 'api', mode: 'http' },
  { name: 'users', mode: 'http' },
  { name: 'echo', mode: 'tcp' },
];

/** How long all hosts are gone from the registry, in milliseconds. */
const goneMs = 2_000;

/** Runs it. Throws when at the end anything is not as the registry says. */
export async function runMass(options: MassOptions): Promise<MassReport> {
  const bed = await prepareBed(services, options.instances);
  const { vm, session, fleet, zookeeper } = bed;
  const link = await startFaultProxy(zookeeper.port);
  onCleanUp(() => link.close());
  const hosts = startHosts(bed, link.address, options.hosts);
  await awaitRegistered(bed, options.instances);
  await vm.start();
  const names = services.map(({ name }) => name);
  const places = { session, services: names, configFile: vm.configFile, adminSockets: [vm.adminSocket] };
  await awaitInStep(places, 60_000);
  const before = await reloadsOf(vm);
  const traffic = await startUsers(bed, options.users, 60_000);
  const rounds: { emptyMs: number; backMs: number }[] = [];
  let servers = options.instances;
  for (let round = 0; round < options.rounds; round += 1) {
    link.refuse();
    link.cut();
    await awaitRegistered(bed, 0);
    const emptied = performance.now();
    if (round === options.rounds - 1 && options.dyingOfTen > 0) {
      // The same share of every service.
      const dying = fleet.addresses.filter(
        (_, i) => Math.floor(i / services.length) % 10 < options.dyingOfTen,
      );
      for (const host of hosts) host.forget(new Set(dying));
      await fleet.kill(dying);
      servers -= dying.length;
    }
    // How long the hosts are gone is the event itself; users go on asking meanwhile.
    await new Promise((resolve) => setTimeout(resolve, goneMs));
    link.heal();
    const healed = performance.now();
    await awaitRegistered(bed, servers);
    await awaitInStep(places, 60_000);
    rounds.push({ emptyMs: healed - emptied, backMs: performance.now() - healed });
  }
  return { tally: await traffic.stop(), reloads: await reloadsSince(vm, before), rounds, servers };
}
