import type { Readable } from 'node:stream';
import { type Clock, describeError } from '@smartstack/agent';
import { execa } from 'execa';
import * as z from 'zod';
import { seconds, withDefault } from '../config/values.js';
import type { CheckResult } from '../health/health.js';
import { defineCheck } from './check.js';
import { endGroup, noteGroup } from './processGroups.js';

/** How much of a command's output is kept for the reason of a failure, in characters. */
const maxOutput = 200;

/** How long to wait for the output of a command that has exited, in milliseconds. */
const lastWordsMs = 50;

/** systemd's, meant for the agent itself: a command must not speak to systemd in its name. */
const withheld = { NOTIFY_SOCKET: undefined, WATCHDOG_PID: undefined, WATCHDOG_USEC: undefined };

/** Passes when a command exits with 0 within `timeout`. Whatever it started is killed with it. */
export const execCheck = defineCheck({
  type: 'exec',
  options: {
    command: z
      .union([z.string().min(1), z.array(z.coerce.string()).min(1)])
      .describe('A line for /bin/sh, or a program and its arguments, which no shell sees.'),
    timeout: withDefault(seconds, 1).describe('Seconds within which the command must have exited.'),
  },
  create: (options, context) => {
    const { command } = options;
    const shell = typeof command === 'string';
    const argv = shell ? ['/bin/sh', '-c', command] : command;
    return {
      name: options.name ?? `${context.service} exec-${shell ? command : command.join(' ')}`.slice(0, 80),
      deadlineMs: options.timeout * 1000,
      probe: (signal) => execute(argv, context.clock, signal),
    };
  },
});

function execute(argv: readonly string[], clock: Clock, signal: AbortSignal): Promise<CheckResult> {
  const [file = '', ...args] = argv;
  return new Promise((resolve) => {
    const child = execa(file, args, {
      // Its own process group, so that one kill reaches whatever the command started.
      detached: true,
      cleanup: false,
      stdin: 'ignore',
      buffer: false,
      reject: false,
      env: withheld,
    });
    const output = tail([child.stdout, child.stderr]);
    const { pid } = child;
    if (pid !== undefined) noteGroup(pid);
    const end = (): void => {
      if (pid !== undefined) endGroup(pid, clock).catch(() => undefined);
    };
    let settled = false;
    const settle = (verdict: () => CheckResult): void => {
      if (settled) return;
      settled = true;
      end();
      // A grandchild that left the group may hold the pipes open for ever.
      child.stdout.destroy();
      child.stderr.destroy();
      resolve(verdict());
    };
    signal.addEventListener('abort', () => settle(() => ({ ok: false, reason: 'aborted' })), { once: true });
    child.once('exit', (code, by) => {
      if (code === 0) {
        settle(() => ({ ok: true }));
        return;
      }
      const failed = (): CheckResult => ({ ok: false, reason: `${describeExit(code, by)}${output()}` });
      end();
      // What it printed last may still be on its way.
      const late = clock.setTimeout(() => settle(failed), lastWordsMs);
      child.once('close', () => {
        late.cancel();
        settle(failed);
      });
    });
    const notStarted = (cause: unknown): void => settle(() => ({ ok: false, reason: describeError(cause) }));
    child.then((result) => {
      if (pid === undefined) notStarted(result.cause);
    }, notStarted);
  });
}

function describeExit(code: number | null, by: NodeJS.Signals | null): string {
  return by === null ? `exited with ${code}` : `killed by ${by}`;
}

/** Reads everything and keeps the last `maxOutput` characters, on one line. */
function tail(streams: readonly Readable[]): () => string {
  let kept = '';
  for (const stream of streams) {
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => (kept = (kept + chunk.slice(-maxOutput)).slice(-maxOutput)));
    stream.on('error', () => undefined);
  }
  // What a command prints is not trusted with the terminal.
  return () => (kept.trim() === '' ? '' : `: ${kept.trim().replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')}`);
}
