import { readFile } from 'node:fs/promises';
import { uptime } from 'node:os';

/** A process of nginx's. */
export interface NginxWorker {
  /** What tells it from a later process of that number. */
  readonly id: string;
  readonly pid: number;
  /** It only ends what it began before a reload. */
  readonly isLeaving: boolean;
}

/** An nginx that runs. */
export interface NginxMaster {
  readonly id: string;
  readonly pid: number;
  readonly workers: readonly NginxWorker[];
  /** When the youngest of the workers that serve was started, in milliseconds since the epoch by `now`. */
  readonly loadedAt: number | undefined;
}

/** Ticks of the kernel in a second. */
const ticks = 100;

/** For the status. */
export function masterStatus({ pid, workers, loadedAt }: NginxMaster): unknown {
  return {
    ...{ pid, loadedAt: loadedAt === undefined ? undefined : new Date(loadedAt).toISOString() },
    workers: workers.filter(({ isLeaving }) => !isLeaving).length,
    oldWorkers: workers.filter(({ isLeaving }) => isLeaving).length,
  };
}

/** The nginx whose pid is in `pidFile`; undefined when there is none. `now` is the wall clock, in milliseconds. */
export async function readMaster(pidFile: string, now: number): Promise<NginxMaster | undefined> {
  const text = await readFile(pidFile, 'utf8').catch(() => '');
  const pid = /^\d{1,10}\s*$/.test(text) ? Number(text) : 0;
  // The file may outlive its process, and name another by now.
  if (pid === 0 || !/^\S+: master process/.test(await titleOf(pid))) return undefined;
  const [started, workers] = await Promise.all([startOf(pid), workersOf(pid)]);
  if (started === undefined) return undefined;
  const serving = workers.filter(({ isLeaving }) => !isLeaving);
  const starts = await Promise.all(serving.map((worker) => startOf(worker.pid)));
  const youngest = Math.max(...starts.map((start) => start ?? 0));
  const loadedAt = now - (uptime() - youngest / ticks) * 1000;
  return { id: `${pid} ${started}`, pid, workers, loadedAt: serving.length === 0 ? undefined : loadedAt };
}

/** Of workers, those that run still. */
export async function stillRunning(workers: readonly NginxWorker[]): Promise<readonly NginxWorker[]> {
  const now = await Promise.all(workers.map(({ pid }) => workerOf(pid)));
  return now.filter(
    (worker, index) => worker !== undefined && worker.id === workers[index]?.id,
  ) as NginxWorker[];
}

async function workersOf(pid: number): Promise<readonly NginxWorker[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const pids = text.split(' ').flatMap((word) => (/^\d+$/.test(word) ? [Number(word)] : []));
  const found = await Promise.all(pids.map(workerOf));
  return found.filter((worker) => worker !== undefined);
}

async function workerOf(pid: number): Promise<NginxWorker | undefined> {
  const [title, started] = await Promise.all([titleOf(pid), startOf(pid)]);
  if (started === undefined || !/^\S+: worker process/.test(title)) return undefined;
  return { id: `${pid} ${started}`, pid, isLeaving: title.includes('shutting down') };
}

/** What a process calls itself; empty when it is gone. */
async function titleOf(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim();
}

/** When a process was started, in ticks since the machine was; undefined when it is gone, or dead. */
async function startOf(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name before it may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const start = Number(fields[19]);
  return Number.isInteger(start) ? start : undefined;
}
