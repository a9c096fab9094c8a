import { pause } from '../harness/pause.ts';
import { onCleanUp } from '../discovery/bed.ts';
import { type FaultProxy, startFaultProxy } from '../harness/faultProxy.ts';
import { type LoadBed, reloadsOf, reloadsSince, type ServicePlan, startUsers } from './bed.ts';
import { awaitRegistered, type Host, sessionTimeoutMs, startHosts } from './hosts.ts';
import { awaitInStep } from './inStep.ts';
import { Random } from './random.ts';
import { freeze, type HaproxyOptions, startSystem } from './system.ts';
import type { Tally } from './traffic.ts';

/** The sessions of all hosts expire at once, under load, and all return. */
export interface MassOptions extends HaproxyOptions {
  readonly instances: number;
  readonly hosts: number;
  readonly rounds: number;
  /** So many of every ten instances die when the last sessions expire, and do not return. */
  readonly dyingOfTen: number;
  /** Users of each service and kind. */
  readonly users: number;
  /** Chooses when in the course of the expiry HAProxy begins to stand still. */
  readonly seed: number;
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

/** All hosts, and the link between them and the registry. */
interface Network {
  readonly link: FaultProxy;
  readonly hosts: readonly Host[];
}

/** Instances die, the same share of every service; returns how many. */
async function letDie({ fleet }: LoadBed, { hosts }: Network, ofTen: number): Promise<number> {
  const dying = fleet.addresses.filter((_, i) => Math.floor(i / services.length) % 10 < ofTen);
  for (const host of hosts) host.forget(new Set(dying));
  await fleet.kill(dying);
  return dying.length;
}

/** Runs it. Throws when at the end anything is not as the registry says. */
export async function runMass(options: MassOptions): Promise<MassReport> {
  const system = await startSystem({
    ...options,
    services,
    register: async (bed): Promise<Network> => {
      const link = await startFaultProxy(bed.zookeeper.port);
      onCleanUp(() => link.close());
      const hosts = startHosts(bed, link.address, options.hosts);
      await awaitRegistered(bed, options.instances);
      return { link, hosts };
    },
  });
  const { bed, places, registered: network } = system;
  const { link } = network;
  await awaitInStep(places, 60_000);
  const before = await reloadsOf(bed.vm);
  const traffic = await startUsers(bed, options.users, 60_000);
  const freezeAfterMs = new Random(options.seed).below(sessionTimeoutMs + goneMs);
  const standStill = async (): Promise<void> => {
    await pause(freezeAfterMs);
    await freeze(system, options.freezeMs);
  };
  const frozen = options.freezeMs > 0 ? Math.floor(options.rounds / 2) : -1;
  const rounds: { emptyMs: number; backMs: number }[] = [];
  let servers = options.instances;
  for (let round = 0; round < options.rounds; round += 1) {
    link.refuse();
    link.cut();
    const meanwhile = round === frozen ? standStill() : undefined;
    await awaitRegistered(bed, 0);
    const emptied = performance.now();
    if (round === options.rounds - 1 && options.dyingOfTen > 0)
      servers -= await letDie(bed, network, options.dyingOfTen);
    await pause(goneMs);
    link.heal();
    const healed = performance.now();
    await awaitRegistered(bed, servers);
    await meanwhile;
    await awaitInStep(places, 60_000).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${bed.vm.synapse.output.slice(-5_000)}`, { cause: error });
    });
    rounds.push({ emptyMs: healed - emptied, backMs: performance.now() - healed });
  }
  return {
    tally: await traffic.stopOnceUsed(),
    reloads: await reloadsSince(bed.vm, before),
    rounds,
    servers,
  };
}
