import type { ProcessIdentity } from '../loaded/beliefs.js';
import { type BudgetRow, readBudgetRow } from '../budget/budgetTable.js';
import { parseInfo } from '../plan/observed.js';
import type { HistogramRow } from '../counters/histograms.js';
import { hasNoTable, readHistogram } from '../counters/histogramTable.js';
import { readColumns, readRow, type StatRow } from '../counters/statTable.js';
import { budgetTable } from '../desired/budgetNames.js';
import { latencyTable } from '../desired/latencyTable.js';
import { RuntimeApiError } from './runtimeError.js';

/** How one worker is asked. Rejects with RuntimeApiError. */
export type Ask = (command: string) => Promise<string>;

/** How a worker is. */
export interface Vitals {
  readonly identity: ProcessIdentity;
  readonly uptimeSeconds: number;
  /** A reload, or somebody who ends HAProxy gently, told it to take no new connections. */
  readonly isStopping: boolean;
  /** Clients' connections; ours to its admin socket is none. */
  readonly connections: number;
}

/** Asks a worker how it is. Throws RuntimeApiError. */
export async function readVitals(ask: Ask): Promise<Vitals> {
  return vitalsIn(await ask('show info'));
}

/** How a worker is by its answer to `show info`. Throws RuntimeApiError when that is none. */
export function vitalsIn(info: string): Vitals {
  const facts = parseInfo(info);
  const number = (name: string): number => Number(facts.get(name) || Number.NaN);
  const [pid, startedAt, uptimeSeconds] = [number('Pid'), number('Start_time_sec'), number('Uptime_sec')];
  if (![pid, startedAt, uptimeSeconds].every(Number.isFinite)) {
    throw new RuntimeApiError('runtime-protocol', 'the answer to "show info" is not a worker of HAProxy');
  }
  return {
    identity: { pid, startedAt },
    uptimeSeconds,
    isStopping: number('Stopping') === 1,
    // A version that does not say is never taken for drained.
    connections: facts.has('CurrConns') ? number('CurrConns') : Infinity,
  };
}

/** Names a worker, so that no other one ever has this name. */
export function nameOf({ identity: { pid, startedAt } }: Vitals): string {
  return `${pid} of ${startedAt}`;
}

/** Rows between which other work gets its turn: 20,000 at once would hold it up for a tenth of a second. */
const sliceRows = 500;

/**
 * Asks a worker what it counted. All rows or none: one that were left out would count anew when it is back.
 * Throws RuntimeApiError.
 */
export async function readRows(ask: Ask, hasServers: boolean): Promise<readonly StatRow[]> {
  // By type: 1 frontends, 2 backends, 4 servers. Never `show stat json`, which is twenty times as long.
  const text = await ask(`show stat -1 ${hasServers ? 7 : 3} -1`);
  const [header = '', ...lines] = text.split('\n').filter((line) => line !== '');
  const columns = readColumns(header);
  const refuse = (line: string): never => {
    throw new RuntimeApiError('runtime-protocol', `no counters of HAProxy: ${line.slice(0, 100)}`);
  };
  if (columns === undefined) return refuse(header);
  const rows: StatRow[] = [];
  for (const [index, line] of lines.entries()) {
    if (index % sliceRows === sliceRows - 1) await new Promise((resolve) => setImmediate(resolve));
    const row = readRow(line, columns);
    if (row === 'malformed') return refuse(line);
    if (row !== undefined) rows.push(row);
  }
  return rows;
}

/** Asks a worker for its histograms; none where it was loaded without them. Throws RuntimeApiError. */
export async function readHistograms(ask: Ask): Promise<readonly HistogramRow[]> {
  const text = await ask(`show table ${latencyTable}`);
  if (hasNoTable(text)) return [];
  const rows: HistogramRow[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (index % sliceRows === sliceRows - 1) await new Promise((resolve) => setImmediate(resolve));
    const row = readHistogram(line);
    if (row === 'malformed')
      throw new RuntimeApiError('runtime-protocol', `no histogram of HAProxy: ${line.slice(0, 100)}`);
    if (row !== undefined) rows.push(row);
  }
  return rows;
}

/** Removes an entry of the histograms; false where that is in use. Throws RuntimeApiError. */
export async function removeHistogram(ask: Ask, key: string): Promise<boolean> {
  return (await ask(`clear table ${latencyTable} key ${key}`)) === '';
}

/** Asks a worker what was spent of budgets of retries; nothing where it was loaded without them. Throws RuntimeApiError. */
export async function readBudgets(ask: Ask): Promise<readonly BudgetRow[]> {
  const text = await ask(`show table ${budgetTable}`);
  if (hasNoTable(text)) return [];
  return text.split('\n').flatMap((line) => {
    const row = readBudgetRow(line);
    if (row === 'malformed')
      throw new RuntimeApiError('runtime-protocol', `no budget of HAProxy: ${line.slice(0, 100)}`);
    return row ?? [];
  });
}
