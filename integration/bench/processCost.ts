import { readFile } from 'node:fs/promises';

/** What a process has cost so far. */
export interface ProcessCost {
  /** Processor time of its own, in milliseconds. */
  readonly cpuMs: number;
  /** That of its children that have ended, in milliseconds: for synapse each `haproxy -c`. */
  readonly childrenCpuMs: number;
  /** Bytes that it handed to the kernel to write: files, sockets and pipes. */
  readonly writtenBytes: number;
}

/** The kernel's unit of processor time: 100 a second on every Linux that Node runs on. */
const msPerTick = 10;

/** Reads what a process has cost. */
export async function costOf(pid: number): Promise<ProcessCost> {
  const [stat, io] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/io`, 'utf8'),
  ]);
  // The name, in parentheses, may hold anything; the third field comes after it.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
  return {
    cpuMs: (user + system) * msPerTick,
    childrenCpuMs: (childrenUser + childrenSystem) * msPerTick,
    writtenBytes: Number(/^wchar: (\d+)$/m.exec(io)?.[1]),
  };
}

/** What it cost between two readings. */
export function between(before: ProcessCost, after: ProcessCost): ProcessCost {
  return {
    cpuMs: after.cpuMs - before.cpuMs,
    childrenCpuMs: after.childrenCpuMs - before.childrenCpuMs,
    writtenBytes: after.writtenBytes - before.writtenBytes,
  };
}

/** Memory that it holds, in MiB. */
export async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
