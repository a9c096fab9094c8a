import type { Readable } from 'node:stream';
import { type Clock, describeError } from '@smartstack/agent';
import { execa } from 'execa';
import { endGroup, noteGroup } from './processGroups.js';
import type { Trace } from './trace.js';

/** How long to wait for the output of a command that has failed, in milliseconds. */
const lastWordsMs = 50;

/** systemd's, meant for the agent itself: a command must not speak to systemd in its name. */
const withheld = { NOTIFY_SOCKET: undefined, WATCHDOG_PID: undefined, WATCHDOG_USEC: undefined };

/** How a command ended, or why it did not start. */
export type CommandResult =
  | { readonly kind: 'exited'; readonly code: number | null; readonly by: NodeJS.Signals | null }
  | { readonly kind: 'failed'; readonly reason: string };

/** What to run, and when to stop it. */
export interface Command {
  /** A program and its arguments; no shell sees them. */
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Kills the command, and whatever it started. */
  readonly signal: AbortSignal;
  /** Takes all that the command prints, piece by piece. */
  readonly onOutput: (text: string, stream: 'stdout' | 'stderr') => void;
  /** True: the output counts even when the command succeeds, and is waited for to its end. */
  readonly needsOutput?: boolean;
  readonly trace?: Trace | undefined;
}

/** Runs a command to its end. Whatever it started is killed with it. */
export function runCommand(command: Command): Promise<CommandResult> {
  const { clock, signal, needsOutput = false, trace } = command;
  const [file = '', ...args] = command.argv;
  if (signal.aborted) return Promise.resolve({ kind: 'failed', reason: 'aborted' });
  trace?.step('start', file);
  return new Promise((resolve) => {
    const child = execa(file, args, {
      // Its own process group, so that one kill reaches whatever the command started.
      detached: true,
      cleanup: false,
      stdin: 'ignore',
      buffer: false,
      reject: false,
      env: { ...withheld, ...command.env },
    });
    listen(child.stdout, (text) => command.onOutput(text, 'stdout'));
    listen(child.stderr, (text) => command.onOutput(text, 'stderr'));
    const { pid } = child;
    if (pid !== undefined) {
      noteGroup(pid);
      trace?.step('run', `process ${pid}`);
    }
    const end = (): void => {
      if (pid !== undefined) endGroup(pid, clock).catch(() => undefined);
    };
    let settled = false;
    const settle = (result: CommandResult): void => {
      if (settled) return;
      settled = true;
      end();
      // A grandchild that left the group may hold the pipes open for ever.
      child.stdout.destroy();
      child.stderr.destroy();
      resolve(result);
    };
    const failed = (reason: string): void => settle({ kind: 'failed', reason });
    signal.addEventListener('abort', () => failed('aborted'), { once: true });
    child.once('exit', (code, by) => {
      if (code === 0) trace?.note(describeExit(code, by));
      const result: CommandResult = { kind: 'exited', code, by };
      if (code === 0 && !needsOutput) {
        settle(result);
        return;
      }
      end();
      // What it printed last may still be on its way.
      const late = needsOutput ? undefined : clock.setTimeout(() => settle(result), lastWordsMs);
      child.once('close', () => {
        late?.cancel();
        settle(result);
      });
    });
    const notStarted = (cause: unknown): void => failed(describeError(cause));
    child.then((result) => {
      if (pid === undefined) notStarted(result.cause);
    }, notStarted);
  });
}

function listen(stream: Readable, take: (text: string) => void): void {
  stream.setEncoding('utf8');
  stream.on('data', take);
  stream.on('error', () => undefined);
}

/** How a command ended, for people. */
export function describeExit(code: number | null, by: NodeJS.Signals | null): string {
  return by === null ? `exited with ${code}` : `killed by ${by}`;
}
