import type { Budgets } from './budget/budgets.js';
import type { ConvergeReport } from './converge.js';
import type { Desire } from './desire.js';
import type { HaproxyWatch } from './process/haproxyWatch.js';
import type { HostResolver } from '../hosts.js';
import type { ObservedServer } from './types.js';
import type { TapHub } from './tap/tapHub.js';
import type { Traffic } from './traffic.js';
import type { Wiring } from './wiring.js';

/** What the status is made of; parts are undefined before the first pass. */
export interface StatusSources {
  readonly desire: Desire | undefined;
  readonly report: ConvergeReport | undefined;
  readonly wiring: Wiring | undefined;
  readonly watch: HaproxyWatch | undefined;
  readonly hosts: HostResolver;
  readonly traffic: Traffic;
  readonly tap: Pick<TapHub, 'status'>;
  readonly budgets: Pick<Budgets, 'status'>;
  readonly statsAddress: string | undefined;
}

function countStates(servers: Iterable<ObservedServer>): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { admin, operational } of servers) {
    const state = admin === 'ready' ? operational : admin;
    counts[state] = (counts[state] ?? 0) + 1;
  }
  return counts;
}

function backendsOf(wiring: Wiring | undefined, socket: string): unknown {
  const observed = wiring?.targets.find(({ socketPath }) => socketPath === socket)?.observation;
  if (observed === undefined) return undefined;
  return Object.fromEntries(
    [...observed.state.backends].map(([name, servers]) => [name, countStates(servers.values())]),
  );
}

/** The generator's part of `/status`: JSON. */
export function statusOf({
  desire,
  report,
  wiring,
  watch,
  hosts,
  traffic,
  tap,
  budgets,
  statsAddress,
}: StatusSources): unknown {
  return {
    desired: desire?.desired.services.map(({ service, backend }) => ({
      service,
      backend: backend.name,
      servers: backend.servers.filter(({ disabled }) => !disabled).length,
      disabled: backend.servers.filter(({ disabled }) => disabled).length,
    })),
    processes: report?.results.map(({ socket, process, plan, applied, isUnknown }) => ({
      socket,
      pid: process?.pid,
      loaded: isUnknown ? 'unknown' : 'ours',
      info: watch?.info.get(socket),
      backends: backendsOf(wiring, socket),
      lastPlan: plan,
      lastApplied: applied.map(({ command, outcome }) => ({ ...command, ...outcome })),
      lingering: wiring?.targets.find(({ socketPath }) => socketPath === socket)?.lingering,
    })),
    reloadReasons: report?.reasons ?? [],
    file: {
      problem: report?.fileProblem,
      unchecked: wiring?.keeper.unchecked,
      messages: wiring?.keeper.messages,
      /** Milliseconds until lines of servers are checked that run, but that no check has read. */
      checkInMs: wiring?.keeper.checkDueInMs,
      writtenAt: wiring?.keeper.written?.at,
      descriptors: wiring?.keeper.descriptors,
    },
    quarantined: wiring?.keeper.quarantine.entries ?? [],
    issues: desire?.issues ?? [],
    unresolvedHosts: Object.fromEntries(hosts.problems),
    oldWorkers: watch?.oldWorkers ?? 'unknown',
    statsAddress,
    counting: traffic.account.now,
    traffic: traffic.status(),
    tap: tap.status(),
    retryBudgets: budgets.status(),
    steered: wiring?.steering.status() ?? {},
  };
}
