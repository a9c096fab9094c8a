import { closeSync, openSync, read, readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';

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
  const files = valuesOf(words, '-f');
  const [master] = valuesOf(words, '-S');
  // Not by its name alone: the executable may be called otherwise (`haproxy_binary`).
  const isHaproxy = words[0]?.includes('haproxy') === true || (files.length > 0 && master !== undefined);
  // Whoever checks a file with `-c` uses none of its sockets.
  if (!isHaproxy || words.includes('-c')) return undefined;
  return { pid, files, masterSocket: master?.split(',')[0] };
}

/** Bytes that hold nearly every command line: a whole read of a file without a size takes sixteen times as much. */
const usualLength = 4096;

function readSome(file: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const into = Buffer.allocUnsafe(usualLength);
    read(file, into, 0, usualLength, null, (error, length) => {
      if (error === null) resolve(into.subarray(0, length));
      else reject(error);
    });
  });
}

/** Only what the kernel may have to wait for is left to a thread: a machine has many processes, and a start asks for all. */
async function readCommandLine(pid: number): Promise<string> {
  const file = openSync(`/proc/${pid}/cmdline`, 'r');
  try {
    const parts: Buffer[] = [];
    for (;;) {
      const part = await readSome(file);
      parts.push(part);
      if (part.length < usualLength) return Buffer.concat(parts).toString();
    }
  } finally {
    closeSync(file);
  }
}

/** What a process was started with; undefined when it is gone, hidden from us, or no HAProxy. */
export async function haproxyOf(pid: number): Promise<RunningHaproxy | undefined> {
  const cmdline = await readCommandLine(pid).catch(() => undefined);
  return cmdline === undefined ? undefined : parseCommandLine(pid, cmdline);
}

/** Threads of the kernel, of which a machine has a hundred, run no executable. Asking for that waits for nothing. */
function runsProgram(pid: string): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return true;
  } catch (error) {
    // Somebody else's, which may be hidden while its command line is not.
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** All masters and workers that this process can see. */
export async function runningHaproxies(): Promise<readonly RunningHaproxy[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && runsProgram(name));
  const found = await Promise.all(pids.map((pid) => haproxyOf(Number(pid))));
  return found.filter((each) => each !== undefined);
}
