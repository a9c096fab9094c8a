import type { Budgets } from '../budget/budgets.js';
import type { StatRow } from '../counters/statTable.js';
import type { Traffic } from '../traffic.js';
import { type Ask, nameOf, readBudgets, readRows, type Vitals } from './workerCounters.js';

/** Where counts go. */
export interface CounterSinks {
  readonly traffic: Traffic;
  readonly budgets: Budgets;
}

/** Reads what a worker counted, and what was spent of budgets in it. Resolves with the former. Throws RuntimeApiError. */
export async function readCounters(
  { traffic, budgets }: CounterSinks,
  vitals: Vitals,
  ask: Ask,
  hasServers: boolean,
): Promise<readonly StatRow[]> {
  const [worker, rows] = [nameOf(vitals), await readRows(ask, hasServers)];
  traffic.add({ worker, rows, hasServers }, vitals.uptimeSeconds);
  if (budgets.isWanted) budgets.add({ worker, rows: await readBudgets(ask) }, vitals.uptimeSeconds);
  return rows;
}
