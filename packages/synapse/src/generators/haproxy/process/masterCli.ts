import type { Clock } from '@smartstack/agent';
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

const masterLine = /^(\d+)\s+master\s+(\d+)(?: \[failed: (\d+)\])?/;
const workerLine = /^(\d+)\s+worker\s+(\d+)(?:\s+(\d+)d(\d+)h(\d+)m(\d+)s)?/;

/** Reads an answer of `show proc`; undefined when it is none. */
export function parseShowProc(text: string): MasterStatus | undefined {
  let master: RegExpExecArray | null = null;
  let section = '';
  const workers: Worker[] = [];
  const oldWorkers: Worker[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('# ')) section = line.slice(2).trim();
    master ??= masterLine.exec(line);
    const worker = workerLine.exec(line);
    if (worker === null) continue;
    const [pid = 0, reloads = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = worker
      .slice(1)
      .map((part: string | undefined) => Number(part ?? 0));
    const entry = { pid, reloads, uptimeSeconds: ((days * 24 + hours) * 60 + minutes) * 60 + seconds };
    if (section === 'old workers') oldWorkers.push(entry);
    else workers.push(entry);
  }
  if (master === null) return undefined;
  return {
    pid: Number(master[1]),
    reloads: Number(master[2]),
    failed: Number(master[3] ?? 0),
    workers,
    oldWorkers,
  };
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
  accept: (status: MasterStatus) => boolean,
): Promise<MasterStatus> {
  const { clock, patienceMs, signal, stopIf } = options;
  const end = clock.monotonic() + patienceMs;
  for (;;) {
    let failure: unknown;
    try {
      const status = await readMaster(path, options);
      if (accept(status)) return status;
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
 * Reloads through the master CLI and waits for the outcome: HAProxy 2.6 answers `reload` with nothing, so
 * success is a worker that was not there before, and failure the master's own count. Throws ReloadError.
 */
export async function reloadThroughMaster(
  path: string,
  options: MasterOptions & { readonly patienceMs: number },
): Promise<MasterStatus> {
  const before = await readMaster(path, options);
  const known = new Set([...before.workers, ...before.oldWorkers].map(({ pid }) => pid));
  let answer = '';
  try {
    answer = await askOnce(path, 'reload', { ...clientOptions(options), deadlineMs: options.patienceMs });
  } catch (error) {
    // The master may cut the connection while it re-executes itself: what follows tells what became of it.
    if (!(error instanceof RuntimeApiError) || options.signal?.aborted === true) throw error;
  }
  if (answer.startsWith('Success=0'))
    throw new ReloadError(`HAProxy refused to reload: ${answer.slice(0, 500)}`);
  const failed = (now: MasterStatus): boolean => now.reloads > before.reloads && now.failed > 0;
  const status = await awaitMaster(
    path,
    options,
    (now) => failed(now) || now.workers.some(({ pid }) => !known.has(pid)),
  );
  if (failed(status)) {
    throw new ReloadError(`HAProxy could not load the new file (${status.failed} failed in a row)`);
  }
  return status;
}
