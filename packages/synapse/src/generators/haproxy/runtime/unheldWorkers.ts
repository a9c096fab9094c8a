import type { StatRow } from '../counters/statTable.js';
import type { HaproxyProcess } from '../process/process.js';
import type { Traffic } from '../traffic.js';
import { type Ask, readHistograms, readRows, readVitals, type Vitals } from './workerCounters.js';

/** What a worker is called: a process id comes again. */
export const nameOf = ({ identity: { pid, startedAt } }: Vitals): string => `${pid} of ${startedAt}`;

/** Reads the counters of a worker, and hands them on. Rejects where it does not answer. */
export async function readCounters(
  vitals: Vitals,
  ask: Ask,
  { traffic, hasServers }: { readonly traffic: Traffic; readonly hasServers: boolean },
): Promise<readonly StatRow[]> {
  const rows = await readRows(ask, hasServers);
  traffic.add({ worker: nameOf(vitals), rows, hasServers }, vitals.uptimeSeconds);
  return rows;
}

/**
 * Old workers that are not held, for synapse was started after the reload: they are read through their master. The
 * names of those that were read; `isHeld` is by process id. Rejects where the master does not answer as one.
 */
export async function readUnheld(
  isHeld: (pid: number) => boolean,
  { haproxy, traffic }: { readonly haproxy: HaproxyProcess; readonly traffic: Traffic },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const status = await haproxy.status(signal);
  const read: string[] = [];
  for (const { pid } of status?.oldWorkers ?? []) {
    if (isHeld(pid)) continue;
    const ask: Ask = (command) => haproxy.askWorker(pid, command, signal);
    // It may end at any moment: that is no failure.
    const name = await readOne(ask, traffic).catch(() => undefined);
    if (name !== undefined) read.push(name);
  }
  return read;
}

async function readOne(ask: Ask, traffic: Traffic): Promise<string> {
  const vitals = await readVitals(ask);
  const worker = nameOf(vitals);
  await readCounters(vitals, ask, { traffic, hasServers: false });
  if (traffic.hasLatencies)
    traffic.addLatencies({ worker, rows: await readHistograms(ask) }, vitals.uptimeSeconds);
  return worker;
}
