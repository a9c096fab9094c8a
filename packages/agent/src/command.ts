import { spawn } from 'node:child_process';
import type { Clock } from './clock.js';

/** How a command ended. */
export interface CommandResult {
  /** Undefined when it was ended by a signal, or never started. */
  readonly exitCode: number | undefined;
  /** Both streams in the order they came, at most 256 KB. */
  readonly output: string;
  /** Why it did not run to its end: not found, out of time. */
  readonly problem?: string;
}

/** Limits of one command. */
export interface CommandOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

const maxOutput = 256 * 1024;
/** A daemon that the command left in the background may hold the pipes open: its output is not waited for longer. */
const lastOutputMs = 50;

/** Runs a program to its end; kills it with all its children when time is up or `signal` aborts. Never throws. */
export function runCommand(
  file: string,
  args: readonly string[],
  { clock, timeoutMs, signal }: CommandOptions,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve({ exitCode: undefined, output: '', problem: 'aborted' });
      return;
    }
    let output = '';
    let problem: string | undefined;
    // A group of its own: `/bin/sh -c` may have children, and they must not outlive their deadline.
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const kill = (why: string): void => {
      problem ??= why;
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // The group is gone already.
      }
    };
    const onAbort = (): void => kill('aborted');
    const timer = clock.setTimeout(() => kill(`no end within ${timeoutMs} ms`), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    const onData = (chunk: Buffer): void => {
      if (output.length < maxOutput) output += chunk.toString();
    };
    child.stdout.on('data', onData);
    child.stderr.on('data', onData);

    let settled = false;
    const settle = (exitCode: number | undefined): void => {
      if (settled) return;
      settled = true;
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ exitCode, output: output.slice(0, maxOutput), ...(problem !== undefined && { problem }) });
    };
    const finish = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    child.on('error', (error) => {
      finish();
      problem ??= error.message;
      settle(undefined);
    });
    child.on('exit', (code) => {
      finish();
      const last = clock.setTimeout(() => settle(code ?? undefined), lastOutputMs);
      child.on('close', () => {
        last.cancel();
        settle(code ?? undefined);
      });
    });
  });
}

/** Runs an operator's command line through `/bin/sh`, as Ruby's synapse does. Never pass discovered data in it. */
export function runShell(commandLine: string, options: CommandOptions): Promise<CommandResult> {
  return runCommand('/bin/sh', ['-c', commandLine], options);
}
