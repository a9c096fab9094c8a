import { pause } from '../harness/pause.ts';
import { registrationsOf, reloadsOf, reloadsSince, type ServicePlan, startUsers, suspectsOf } from './bed.ts';
import { awaitNoneLeaked, descriptorsAtRest } from './descriptors.ts';
import { awaitInStep } from './inStep.ts';
import { Random } from './random.ts';
import type { Registrations } from './registrations.ts';
import { freeze, type HaproxyOptions, startSystem } from './system.ts';
import type { Tally } from './traffic.ts';

/** Random changes of the registry under load. */
export interface ChurnOptions extends HaproxyOptions {
  readonly changes: number;
  readonly perSecond: number;
  /** Chooses the changes: the same seed, the same history. */
  readonly seed: number;
  /** Users of each service and kind. */
  readonly users: number;
}

/** What it came to. */
export interface ChurnReport {
  readonly tally: Tally;
  /** By reason. */
  readonly reloads: Readonly<Record<string, number>>;
  /** Changes made, by kind. */
  readonly kinds: Readonly<Record<string, number>>;
  readonly tookMs: number;
  /** Servers at the end, the same in registry, file and processes. */
  readonly servers: number;
}

const services: readonly ServicePlan[] = [
  { name: 'web', mode: 'http' },
  { name: 'api', mode: 'http' },
  { name: 'echo', mode: 'tcp' },
];

/** Makes the changes one after the other, at no more than so many in a second. */
async function makeChanges(
  all: readonly Registrations[],
  { perSecond, seed }: ChurnOptions,
  count: number,
): Promise<void> {
  const random = new Random(seed + 1);
  const started = performance.now();
  for (let i = 0; i < count; i += 1) {
    await random.pick(all).change();
    await pause(started + ((i + 1) * 1_000) / perSecond - performance.now());
  }
}

/** Runs it. Throws when at the end anything is not as the registry says, or any descriptor is left open. */
export async function runChurn(options: ChurnOptions): Promise<ChurnReport> {
  const system = await startSystem({
    ...options,
    services,
    instances: 90,
    register: async (bed) => {
      const all = registrationsOf(bed, new Random(options.seed));
      for (const each of all) await each.fill(8);
      return all;
    },
  });
  const { bed, places, masters, adminSockets, registered: all } = system;
  const { vm } = bed;
  await awaitInStep(places, 30_000);
  const suspects = await suspectsOf(vm, masters, adminSockets);
  const before = await descriptorsAtRest(suspects);
  const reloads = await reloadsOf(vm);
  const traffic = await startUsers(bed, options.users, 60_000);
  const started = performance.now();
  const half = Math.floor(options.changes / 2);
  await makeChanges(all, options, half);
  const rest = makeChanges(all, options, options.changes - half);
  await Promise.all([rest, options.freezeMs > 0 ? freeze(system, options.freezeMs) : undefined]);
  const tookMs = performance.now() - started;
  for (const each of all) if (each.size === 0) await each.fill(4);
  const servers = await awaitInStep(places, 30_000).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${vm.synapse.output.slice(-5_000)}`, { cause: error });
  });
  const tally = await traffic.stopOnceUsed();
  const reloaded = await reloadsSince(vm, reloads);
  if (Object.keys(reloaded).length > 0) {
    const lines = vm.synapse.output.split('\n').filter((line) => line.includes('haproxy reloaded'));
    throw new Error(`there were reloads:\n${lines.join('\n')}`);
  }
  await awaitNoneLeaked(suspects, before, 20_000);
  const kinds: Record<string, number> = {};
  for (const { counts } of all)
    for (const [kind, count] of Object.entries(counts)) kinds[kind] = (kinds[kind] ?? 0) + count;
  return { tally, reloads: reloaded, kinds, tookMs, servers };
}
