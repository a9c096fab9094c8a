import type { Clock } from '@smartstack/agent';
import { parseBindFailures } from '../file/configMessages.js';
import { parseInfo } from '../plan/observed.js';
import { ReloadError } from './reloadError.js';
import { askOnce } from '../runtime/runtimeClient.js';
import { RuntimeApiError } from '../runtime/runtimeError.js';

/** A process under a master. */
interface Worker {
  readonly pid: number;
  /** Reloads since it was started; 0 for the newest. */
  readonly reloads: number;
  /** Seconds since it was started. */
  readonly uptimeSeconds: number;
}

/** What a master says of itself and its workers (`show proc`). */
export interface MasterStatus {
  readonly pid: number;
  readonly reloads: number;
  /** Reloads in a row that failed; 0 after a success. */
  readonly failed: number;
  readonly workers: readonly Worker[];
  /** Workers of earlier configurations that still end their requests. */
  readonly oldWorkers: readonly Worker[];
}

/** Where and how patiently a master is asked. */
export interface MasterOptions {
  readonly clock: Clock;
  /** Milliseconds for one answer. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A row of `show proc`: `8874  master  3 [failed: 0]  0d00h00m03s  2.6.12`. */
const rowLine = /^(?<pid>\d+)\s+(?<type>master|worker)\s+(?<rest>\S.*)$/;

/** The uptime in a row, `1d02h03m04s`, in seconds. */
function uptimeOf(row: string): number {
  const [, ...parts] = /\s(\d+)d(\d+)h(\d+)m(\d+)s/.exec(row) ?? [];
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = parts.map(Number);
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}

/** Reads an answer of `show proc`; undefined when it is none. */
export function parseShowProc(text: string): MasterStatus | undefined {
  let master:
    { readonly pid: number; readonly reloads: number; readonly failed: number | undefined } | undefined;
  let section = '';
  let hasRelativePid = false;
  const workers: Worker[] = [];
  const oldWorkers: Worker[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('#<PID>')) hasRelativePid = line.includes('<relative PID>');
    else if (line.startsWith('# ')) section = line.slice(2).trim();
    const { pid, type, rest = '' } = rowLine.exec(line)?.groups ?? {};
    if (pid === undefined) continue;
    // HAProxy 2.4 has another column before the reloads: `1`, or `[was: 1]` of an old worker.
    const numbers = hasRelativePid ? rest.replace(/^(?:\[was: \d+\]|\d+)\s+/, '') : rest;
    const [, reloads, failed] = /^(\d+)(?: \[failed: (\d+)\])?/.exec(numbers) ?? [];
    const entry = {
      ...{ pid: Number(pid), reloads: Number(reloads ?? Number.NaN) },
      uptimeSeconds: uptimeOf(rest),
    };
    if (type === 'master') {
      master ??= {
        pid: entry.pid,
        reloads: entry.reloads,
        failed: failed === undefined ? undefined : Number(failed),
      };
    } else if (section === 'old workers') oldWorkers.push(entry);
    else workers.push(entry);
  }
  if (master === undefined || !Number.isInteger(master.reloads)) return undefined;
  const isLoaded = workers.length > 0 || oldWorkers.length === 0;
  // 2.4 does not count failures: none but old workers is what tells.
  const status = { ...master, failed: master.failed ?? (isLoaded ? 0 : 1), workers, oldWorkers };
  return isLoaded || status.failed === 0 ? status : withServingWorker(status);
}

/** After a reload that failed, HAProxy 2.4 and those from 3.1 on list the worker that goes on serving as an old one. */
function withServingWorker(status: MasterStatus): MasterStatus {
  const { oldWorkers } = status;
  const fewest = Math.min(...oldWorkers.map((worker) => worker.reloads));
  return {
    ...status,
    workers: oldWorkers.filter((worker) => worker.reloads === fewest),
    oldWorkers: oldWorkers.filter((worker) => worker.reloads !== fewest),
  };
}

/** True when a master that was as `before` has failed to reload since. */
export function hasFailedSince(before: MasterStatus, now: MasterStatus): boolean {
  return now.pid === before.pid && now.reloads > before.reloads && now.failed > 0;
}

function clientOptions({ clock, deadlineMs, signal }: MasterOptions) {
  return { clock, deadlineMs, ...(signal !== undefined && { signal }) };
}

/** Asks a master for its workers. Throws RuntimeApiError when it does not answer, or is no master. */
export async function readMaster(path: string, options: MasterOptions): Promise<MasterStatus> {
  const status = parseShowProc(await askOnce(path, 'show proc', clientOptions(options)));
  if (status === undefined)
    throw new RuntimeApiError('runtime-protocol', `no HAProxy master answers on ${path}`);
  return status;
}

/** Asks one worker through its master, also one that has left its sockets to a successor. Throws RuntimeApiError. */
export function askWorker(
  path: string,
  pid: number,
  command: string,
  options: MasterOptions,
): Promise<string> {
  return askOnce(path, `@!${pid} ${command}`, clientOptions(options));
}

const pollMs = 10;

/**
 * Polls a master until `accept` takes its status. A master that re-executes itself refuses and resets
 * connections for as long as it parses its file: such failures only count once `patienceMs` is over.
 */
export async function awaitMaster(
  path: string,
  options: MasterOptions & { readonly patienceMs: number; readonly stopIf?: () => Error | undefined },
  accept: (status: MasterStatus) => boolean | Promise<boolean>,
): Promise<MasterStatus> {
  const { clock, patienceMs, signal, stopIf } = options;
  const end = clock.monotonic() + patienceMs;
  for (;;) {
    let failure: unknown;
    try {
      const status = await readMaster(path, options);
      if (await accept(status)) return status;
    } catch (error) {
      if (!(error instanceof RuntimeApiError)) throw error;
      failure = error;
    }
    const stop = stopIf?.();
    if (stop !== undefined) throw stop;
    if (clock.monotonic() >= end) {
      throw new ReloadError(`the master on ${path} did not get there within ${patienceMs} ms`, {
        cause: failure,
      });
    }
    await clock.sleep(pollMs, signal);
  }
}

/**
 * True when a worker of this master serves: from 3.1 on a worker is listed while it still reads its file, and it may
 * fail at that. Its master passes the question on; a worker that is not ready does not answer.
 */
async function isServing(path: string, pid: number, options: MasterOptions): Promise<boolean> {
  try {
    const info = await askWorker(path, pid, 'show info', options);
    return parseInfo(info).get('Pid') === String(pid);
  } catch (error) {
    if (!(error instanceof RuntimeApiError)) throw error;
    return false;
  }
}

/** True when a worker serves that is none of `known`. */
export async function hasNewWorker(
  path: string,
  { workers }: MasterStatus,
  known: ReadonlySet<number>,
  options: MasterOptions,
): Promise<boolean> {
  const worker = workers.find(({ pid }) => !known.has(pid));
  return worker !== undefined && isServing(path, worker.pid, options);
}

/** From 3.1 on a master loads one configuration at a time: somebody else's reload, or ours, is under way. */
const busy = 'Another reload is still in progress';

/** Asks for a reload; the answer, empty where the master gave none. */
async function askReload(
  path: string,
  options: MasterOptions & { readonly patienceMs: number },
): Promise<string> {
  const { clock, patienceMs, signal } = options;
  const end = clock.monotonic() + patienceMs;
  for (;;) {
    let answer: string;
    try {
      answer = await askOnce(path, 'reload', { ...clientOptions(options), deadlineMs: patienceMs });
    } catch (error) {
      // The master may cut the connection while it re-executes itself: what follows tells what became of it.
      if (!(error instanceof RuntimeApiError) || signal?.aborted === true) throw error;
      return '';
    }
    if (!answer.includes(busy) || clock.monotonic() >= end) return answer;
    await clock.sleep(pollMs, signal);
  }
}

/**
 * Reloads through the master CLI and waits for the outcome. From 2.7 on the master answers with its success and
 * what HAProxy said while it loaded; before, `reload` is answered with nothing, so that success is a worker that
 * was not there before, and failure the master's own count. Throws ReloadError.
 */
export async function reloadThroughMaster(
  path: string,
  options: MasterOptions & { readonly patienceMs: number },
): Promise<MasterStatus> {
  const before = await firstLook(path, options);
  const known = new Set([...before.workers, ...before.oldWorkers].map(({ pid }) => pid));
  const answer = await askReload(path, options);
  if (answer.startsWith('Success=0')) {
    const said = alertsOf(answer);
    throw new ReloadError(`HAProxy refused to reload: ${said}`, { messages: parseBindFailures(answer) });
  }
  const failed = (now: MasterStatus): boolean => hasFailedSince(before, now);
  const status = await awaitMaster(
    path,
    options,
    (now) => failed(now) || hasNewWorker(path, now, known, options),
  );
  if (failed(status)) {
    throw new ReloadError(`HAProxy could not load the new file (${status.failed} failed in a row)`);
  }
  return status;
}

async function firstLook(path: string, options: MasterOptions): Promise<MasterStatus> {
  try {
    return await readMaster(path, options);
  } catch (error) {
    if (!(error instanceof RuntimeApiError) || options.signal?.aborted === true) throw error;
    const isSilent = error.code === 'runtime-timeout';
    throw new ReloadError(`the master does not answer: ${error.message}`, { cause: error, isSilent });
  }
}

/** What matters of an answer that begins with its success: the alerts among the start-up messages. */
function alertsOf(answer: string): string {
  const lines = answer.split('\n').slice(1);
  const alerts = lines.filter((line) => line.startsWith('[ALERT]'));
  return (alerts.length > 0 ? alerts : lines).join('\n').trim().slice(0, 500);
}
