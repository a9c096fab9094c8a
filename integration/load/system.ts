import { haproxyPaths, signalTree } from '../harness/haproxy.ts';
import { type LoadBed, prepareBed, type ServicePlan } from './bed.ts';
import { prepareTwins } from './haproxies.ts';
import type { Places } from './inStep.ts';
import { pause } from '../harness/pause.ts';

/** Which HAProxies a scenario runs, and whether they stand still in the middle of it. */
export interface HaproxyOptions {
  /** Two of them load one file and belong to one synapse. */
  readonly haproxies: 1 | 2;
  /** For so long, in milliseconds, every HAProxy stands still in the middle of it; 0 for never. */
  readonly freezeMs: number;
}

/** What a scenario needs before anything runs. */
export interface SystemPlan<T> extends HaproxyOptions {
  readonly services: readonly ServicePlan[];
  /** Addresses of the fleet. */
  readonly instances: number;
  /** Registers what is there before synapse starts. */
  readonly register: (bed: LoadBed) => Promise<T>;
}

/** A registry with instances, and a synapse that has brought one or two HAProxies in step with it. */
export interface System<T = unknown> {
  readonly registered: T;
  readonly bed: LoadBed;
  /** Where `awaitInStep` looks. */
  readonly places: Places;
  /** Pid of each HAProxy's master; it stays the same over reloads. */
  readonly masters: readonly number[];
  readonly masterSockets: readonly string[];
  readonly adminSockets: readonly string[];
}

/** Starts it. `awaitInStep` tells when all is in step. */
export async function startSystem<T>(plan: SystemPlan<T>): Promise<System<T>> {
  const twins = plan.haproxies === 2 ? prepareTwins() : undefined;
  const bed = await prepareBed(plan.services, plan.instances, twins?.options);
  const { vm, session } = bed;
  const registered = await plan.register(bed);
  const running = await twins?.start(vm);
  await vm.start();
  const adminSockets = twins?.adminSockets ?? [vm.adminSocket];
  const services = plan.services.map(({ name }) => name);
  return {
    registered,
    bed,
    places: { session, services, configFile: vm.configFile, adminSockets },
    masters: running?.map(({ pid }) => pid) ?? [await vm.master()],
    masterSockets: running?.map((each) => each.masterSocket) ?? [haproxyPaths(vm.folder).masterSocket],
    adminSockets,
  };
}

/** Every HAProxy stands still: what comes meanwhile waits in the kernel, and synapse hears nothing. */
export async function freeze({ masters }: Pick<System, 'masters'>, ms: number): Promise<void> {
  for (const master of masters) await signalTree(master, 'SIGSTOP');
  try {
    await pause(ms);
  } finally {
    for (const master of masters) await signalTree(master, 'SIGCONT');
  }
}
