import { readdir, readFile } from 'node:fs/promises';

/** An HAProxy as its command line tells: the kernel knows what a socket may not say. */
export interface RunningHaproxy {
  readonly pid: number;
  /** Its configuration files (`-f`). */
  readonly files: readonly string[];
  /** Path of its master socket (`-S`), where it has one. */
  readonly masterSocket: string | undefined;
}

function valuesOf(words: readonly string[], option: string): readonly string[] {
  return words.flatMap((word, index) => (words[index - 1] === option ? [word] : []));
}

/** Reads a `/proc/<pid>/cmdline`; undefined when it is no HAProxy that serves. */
export function parseCommandLine(pid: number, cmdline: string): RunningHaproxy | undefined {
  const words = cmdline.split('\0');
  // Whoever checks a file with `-c` uses none of its sockets.
  if (words[0]?.includes('haproxy') !== true || words.includes('-c')) return undefined;
  const [master] = valuesOf(words, '-S');
  return { pid, files: valuesOf(words, '-f'), masterSocket: master?.split(',')[0] };
}

/** What a process was started with; undefined when it is gone, hidden from us, or no HAProxy. */
export async function haproxyOf(pid: number): Promise<RunningHaproxy | undefined> {
  const cmdline = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  return cmdline === undefined ? undefined : parseCommandLine(pid, cmdline);
}

/** All masters and workers that this process can see. */
export async function runningHaproxies(): Promise<readonly RunningHaproxy[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(pids.map((pid) => haproxyOf(Number(pid))));
  return found.filter((each) => each !== undefined);
}
