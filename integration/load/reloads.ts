import { eventually } from '../harness/eventually.ts';
import { pause } from '../harness/pause.ts';
import { askSocket, workersOf } from '../harness/haproxy.ts';
import {
  registrationsOf,
  reloadsOf,
  reloadsSince,
  serviceText,
  type ServicePlan,
  startUsers,
} from './bed.ts';
import { awaitInStep } from './inStep.ts';
import { Random } from './random.ts';
import { freeze, type HaproxyOptions, startSystem, type System } from './system.ts';
import type { Tally } from './traffic.ts';

/** Reloads under load, each because the lines of a service changed. */
export interface ReloadsOptions extends HaproxyOptions {
  readonly reloads: number;
  /** Users of each service and kind. */
  readonly users: number;
  /** Chooses when in the course of a reload HAProxy begins to stand still. */
  readonly seed: number;
}

/** What it came to. */
export interface ReloadsReport {
  readonly tally: Tally;
  /** By reason. */
  readonly reloads: Readonly<Record<string, number>>;
  /** Most old workers of an HAProxy at once: they stay until the requests that they have are answered. */
  readonly mostOldWorkers: number;
  readonly tookMs: number;
}

const services: readonly ServicePlan[] = [
  { name: 'web', mode: 'http' },
  { name: 'echo', mode: 'tcp' },
];

/** The newest worker of each HAProxy, and how many old ones the one with the most has. */
async function workers({ masterSockets }: System): Promise<{ newest: readonly number[]; old: number }> {
  const answers = await Promise.all(masterSockets.map((socket) => askSocket(socket, 'show proc')));
  return {
    newest: answers.map((answer) => workersOf(answer)[0] ?? -1),
    old: Math.max(...answers.map((answer) => workersOf(answer, 'old workers').length)),
  };
}

/**
 * Changes a line of a service and waits until every HAProxy has a new worker; every second time synapse is told to
 * look. `meanwhile` begins with the change. Returns the most old workers seen.
 */
async function reloadOnce(system: System, count: number, meanwhile?: () => Promise<void>): Promise<number> {
  const { bed } = system;
  const before = new Set((await workers(system)).newest);
  const plan = services[count % services.length]!;
  bed.vm.service(plan.name, serviceText(bed, plan, `timeout server ${71 + count}s`));
  if (count % 4 < 2) bed.vm.synapse.signal('SIGHUP');
  await meanwhile?.();
  let most = 0;
  await eventually(
    async () => {
      const { newest, old } = await workers(system);
      most = Math.max(most, old);
      return newest.every((pid) => pid > 0 && !before.has(pid));
    },
    { what: `reload ${count + 1} is done`, timeoutMs: 30_000, intervalMs: 20 },
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${bed.vm.synapse.output.slice(-5_000)}`, { cause: error });
  });
  return most;
}

/** Runs it. Throws when a reload does not come, or when an old worker stays for good. */
export async function runReloads(options: ReloadsOptions): Promise<ReloadsReport> {
  const system = await startSystem({
    ...options,
    services,
    instances: 20,
    register: async (bed) => {
      for (const each of registrationsOf(bed, new Random(1))) await each.fill(8);
    },
  });
  const { bed, places } = system;
  await awaitInStep(places, 30_000);
  const before = await reloadsOf(bed.vm);
  const traffic = await startUsers(bed, options.users, 60_000);
  // The check, the reload itself, or before either.
  const freezeAfterMs = new Random(options.seed).below(400);
  const standStill = async (): Promise<void> => {
    await pause(freezeAfterMs);
    await freeze(system, options.freezeMs);
  };
  const frozen = options.freezeMs > 0 ? Math.floor(options.reloads / 2) : -1;
  const started = performance.now();
  let mostOldWorkers = 0;
  for (let count = 0; count < options.reloads; count += 1) {
    const old = await reloadOnce(system, count, count === frozen ? standStill : undefined);
    mostOldWorkers = Math.max(mostOldWorkers, old);
  }
  const tookMs = performance.now() - started;
  await awaitInStep(places, 30_000);
  const tally = await traffic.stopOnceUsed();
  await eventually(async () => (await workers(system)).old === 0, {
    what: 'the old workers have ended',
    timeoutMs: 30_000,
    intervalMs: 50,
  });
  return { tally, reloads: await reloadsSince(bed.vm, before), mostOldWorkers, tookMs };
}
