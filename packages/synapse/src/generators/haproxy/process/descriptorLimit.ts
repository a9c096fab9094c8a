import { readFile } from 'node:fs/promises';

/** Bit of CAP_SYS_RESOURCE, which lets a process raise its own hard limit. */
const sysResource = 1n << 24n;

function field(text: string, pattern: RegExp): string | undefined {
  return pattern.exec(text)?.[1];
}

/** The hard limit in a `/proc/<pid>/limits`; undefined when that is not one. */
export function parseLimits(text: string): number | undefined {
  const hard = field(text, /^Max open files\s+\S+\s+(\S+)/m);
  if (hard === 'unlimited') return Infinity;
  return hard !== undefined && /^\d+$/.test(hard) ? Number(hard) : undefined;
}

/** True for the `/proc/<pid>/status` of a process that may raise its own hard limits. */
export function mayRaise(status: string): boolean {
  const capabilities = field(status, /^CapEff:\s*([0-9a-f]{1,32})$/m);
  return capabilities !== undefined && (BigInt(`0x${capabilities}`) & sysResource) !== 0n;
}

/**
 * How many descriptors a process can allow itself: its hard limit, or the kernel's bound where it may raise that.
 * HAProxy raises its limit when it loads a file, and a reload happens in the master, whose limits never change.
 * Undefined when the process is gone, or hidden from us.
 */
export async function descriptorLimit(pid: number | 'self'): Promise<number | undefined> {
  const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
  const [limits, status] = await Promise.all([read(`/proc/${pid}/limits`), read(`/proc/${pid}/status`)]);
  const hard = parseLimits(limits);
  if (hard === undefined || !mayRaise(status)) return hard;
  const bound = Number((await read('/proc/sys/fs/nr_open')).trim() || Number.NaN);
  return Number.isInteger(bound) ? Math.max(bound, hard) : Infinity;
}

/** The limit of an HAProxy of which master or worker is known: its master's, which is the one that reloads. */
export async function haproxyLimit(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  // In a container, say, the number may belong to anybody.
  if (!isHaproxy(status)) return undefined;
  const parent = Number(field(status, /^PPid:\s*(\d+)$/m));
  const above = await readFile(`/proc/${parent}/status`, 'utf8').catch(() => '');
  return descriptorLimit(isHaproxy(above) ? parent : pid);
}

function isHaproxy(status: string): boolean {
  return field(status, /^Name:\s*(.*)$/m)?.includes('haproxy') === true;
}
