import type { Clock } from '@smartstack/agent';
import * as z from 'zod';
import { seconds, withDefault } from '../config/values.js';
import type { CheckResult } from '../health/health.js';
import { defineCheck } from './check.js';
import type { Trace } from './trace.js';
import { describeExit, runCommand } from './command.js';
import { oneLine } from './oneLine.js';

/** How much of a command's output is kept for the reason of a failure, in characters. */
const maxOutput = 200;

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
      probe: (signal, trace) => execute(argv, context.clock, signal, trace),
    };
  },
});

async function execute(
  argv: readonly string[],
  clock: Clock,
  signal: AbortSignal,
  trace: Trace | undefined,
): Promise<CheckResult> {
  // The last characters of all that it printed.
  let kept = '';
  const onOutput = (text: string): void => void (kept = (kept + text.slice(-maxOutput)).slice(-maxOutput));
  const result = await runCommand({ argv, clock, signal, onOutput, trace });
  if (result.kind === 'failed') return { ok: false, reason: result.reason };
  if (result.code === 0) return { ok: true };
  const said = oneLine(kept);
  return { ok: false, reason: `${describeExit(result.code, result.by)}${said && `: ${said}`}` };
}
