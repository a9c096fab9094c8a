import { spawn, type ChildProcess, type ChildProcessByStdio, type Serializable } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface Child {
  readonly pid: number;
  readonly running: boolean;
  /** Both streams, in the order of arrival, the last 64 KiB of them. */
  readonly output: string;
  signal(signal: NodeJS.Signals): void;
  /** Sends a message to a process that was started with `onMessage`; lost when it has ended. */
  send(message: Serializable): void;
  /** Resolves with the exit code, or the signal's name, once the process is gone. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** Sends the signal (SIGTERM unless told) and waits; SIGKILL after `graceMs`. */
  stop(signal?: NodeJS.Signals, graceMs?: number): Promise<void>;
}

export interface SpawnOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Opens a channel to a Node process and takes what it sends. */
  readonly onMessage?: (message: unknown) => void;
}

/** How long somebody who has ended may be heard, if others hold the pipe. */
const lastWordsMs = 500;

const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/**
 * Starts a process that cannot outlive the test's: the kernel kills it when its parent dies, however
 * hard (setpriv --pdeathsig), and it is killed on a normal exit.
 */
export function startProcess(
  command: string,
  args: readonly string[],
  { onMessage, ...options }: SpawnOptions = {},
): Child {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', command, ...args], {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe', ...(onMessage === undefined ? [] : (['ipc'] as const))],
  }) as ChildProcessByStdio<null, Readable, Readable>;
  if (onMessage !== undefined) child.on('message', onMessage);
  alive.add(child);
  let output = '';
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-65_536);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  let running = true;
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    const gone = (result: number | NodeJS.Signals): void => {
      running = false;
      alive.delete(child);
      resolve(result);
    };
    child.once('error', (error) => {
      output += error.message;
      gone(127);
    });
    child.once('exit', (code, signal) => {
      running = false;
      alive.delete(child);
      const result = code ?? signal ?? 1;
      // What it said last may still be on its way; a child of its own may hold the pipe open for ever.
      const timer = setTimeout(gone, lastWordsMs, result);
      child.once('close', () => {
        clearTimeout(timer);
        gone(result);
      });
    });
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM', graceMs = 10_000): Promise<void> => {
    if (!running) return;
    child.kill(signal);
    // A stopped process takes no SIGTERM before it runs again.
    if (signal !== 'SIGKILL') child.kill('SIGCONT');
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await exited;
    clearTimeout(timer);
  };
  return {
    pid: child.pid ?? -1,
    get running() {
      return running;
    },
    get output() {
      return output;
    },
    signal: (signal) => void child.kill(signal),
    send: (message) => {
      if (child.connected) child.send(message, () => undefined);
    },
    exited,
    stop,
  };
}
