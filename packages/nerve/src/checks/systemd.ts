import type { Clock } from '@smartstack/agent';
import * as z from 'zod';
import { seconds, withDefault } from '../config/values.js';
import type { CheckResult } from '../health/health.js';
import { defineCheck } from './check.js';
import { describeExit, runCommand } from './command.js';
import { oneLine } from './oneLine.js';
import type { Trace } from './trace.js';

/** What is asked for, and told when the unit is not active. */
const properties = ['ActiveState', 'SubState', 'LoadState'] as const;

/** The states in which a unit does its work. */
const working = new Set(['active', 'reloading', 'refreshing']);

/** The most that is read of what systemctl prints, in characters. */
const maxOutput = 4096;

/** A name as systemd takes it; no pattern, no path, and nothing that could be an option. */
const unitName = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*$/, 'expected the name of a unit, such as web.service')
  .refine(
    (name) => !/@(\.[a-z]+)?$/.test(name),
    'expected an instance of the template, such as web@1.service',
  );

/** Passes while systemd says that a unit is active. */
export const systemdCheck = defineCheck({
  type: 'systemd',
  options: {
    unit: unitName.describe('The unit, such as web.service; .service may be left out.'),
    timeout: withDefault(seconds, 1).describe('Seconds within which systemd must have answered.'),
  },
  create: (options, context) => ({
    name: options.name ?? `${context.service} systemd-${options.unit}`,
    deadlineMs: options.timeout * 1000,
    probe: (signal, trace) => ask(options.unit, context.clock, signal, trace),
  }),
});

async function ask(
  unit: string,
  clock: Clock,
  signal: AbortSignal,
  trace: Trace | undefined,
): Promise<CheckResult> {
  const printed = { stdout: '', stderr: '' };
  const result = await runCommand({
    argv: ['systemctl', 'show', '--no-pager', `--property=${properties.join(',')}`, '--', unit],
    env: { LC_ALL: 'C' },
    clock,
    signal,
    trace,
    needsOutput: true,
    onOutput: (text, stream) => void (printed[stream] = (printed[stream] + text).slice(0, maxOutput)),
  });
  if (result.kind === 'failed') return { ok: false, reason: result.reason };
  if (result.code !== 0) {
    const said = oneLine(printed.stderr.slice(0, 200));
    const how = describeExit(result.code, result.by);
    return { ok: false, reason: `systemctl ${how}${said && `: ${said}`}` };
  }
  return judge(printed.stdout, trace);
}

function judge(output: string, trace: Trace | undefined): CheckResult {
  const pairs = output.split('\n').map((line) => /^(\w+)=(.*)$/.exec(line)?.slice(1) ?? []);
  const values = new Map(pairs.map(([key = '', value = '']) => [key, value]));
  const told = properties.map((key) => `${key}=${values.get(key) ?? '?'}`).join(' ');
  trace?.step('state', told);
  if (working.has(values.get('ActiveState') ?? '')) return { ok: true };
  return { ok: false, reason: oneLine(told.slice(0, 200)) };
}
