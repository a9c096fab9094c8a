import type { HaproxyProcess } from '../process/process.js';
import { type CounterSinks, readCounters } from './readCounters.js';
import { type Ask, nameOf, readHistograms, readVitals } from './workerCounters.js';

/**
 * Old workers that are not held, for synapse was started after the reload: they are read through their master. The
 * names of those that were read; `isHeld` is by process id. Rejects where the master does not answer as one.
 */
export async function readUnheld(
  isHeld: (pid: number) => boolean,
  { haproxy, ...sinks }: CounterSinks & { readonly haproxy: HaproxyProcess },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const status = await haproxy.status(signal);
  const read: string[] = [];
  for (const { pid } of status?.oldWorkers ?? []) {
    if (isHeld(pid)) continue;
    const ask: Ask = (command) => haproxy.askWorker(pid, command, signal);
    // It may end at any moment: that is no failure.
    const name = await readOne(ask, sinks).catch(() => undefined);
    if (name !== undefined) read.push(name);
  }
  return read;
}

async function readOne(ask: Ask, sinks: CounterSinks): Promise<string> {
  const { traffic } = sinks;
  const vitals = await readVitals(ask);
  const worker = nameOf(vitals);
  await readCounters(sinks, vitals, ask, false);
  if (traffic.hasLatencies)
    traffic.addLatencies({ worker, rows: await readHistograms(ask) }, vitals.uptimeSeconds);
  return worker;
}
