import { type Clock, closest, exitCode, formatIssue } from '@smartstack/agent';
import type { Check } from '../checks/check.js';
import { distinctNames } from '../checks/distinctNames.js';
import { type CheckOptions, createCheck } from '../checks/index.js';
import { probeWithin } from '../checks/deadline.js';
import { type Step, TraceRecorder } from '../checks/trace.js';
import { endAllGroups } from '../checks/processGroups.js';
import { loadConfig } from '../config/load.js';
import type { ServiceDefinition } from '../config/service.js';
import type { Console } from './console.js';
import { json } from './answers.js';
import type { Action } from './command.js';
import { plainText, table } from '@smartstack/agent/cli';

/** One check's outcome. */
interface Probed {
  readonly check: string;
  readonly type: string;
  readonly target: string;
  /** Skipped: only the running agent knows. */
  readonly result: 'pass' | 'fail' | 'skipped';
  readonly reason?: string;
  readonly tookMs?: number;
  /** What it did, one after the other. */
  readonly steps: readonly Step[];
}

/** `nerve probe`: runs all checks of a service once, and shows each step. 0, or 1 when one fails; 78 for a bad configuration. */
export async function probeService(
  action: Extract<Action, { kind: 'probe' }>,
  { clock, plugins, print, width }: Console,
): Promise<number> {
  const { service, file, instanceId, output } = action;
  const loaded = await loadConfig({ file, instanceId, plugins });
  const definition = loaded.services.get(service);
  if (definition === undefined || loaded.fatal.length > 0) {
    const errors = loaded.issues.filter(({ severity }) => severity === 'error');
    if (loaded.main === undefined || loaded.fatal.length > 0 || loaded.broken.has(service)) {
      for (const issue of errors) print('stderr', formatIssue(issue));
      return exitCode.configuration;
    }
    const near = closest(service, [...loaded.services.keys()]);
    const hint = near === undefined ? '' : `, did you mean ${near}?`;
    print('stderr', `nerve: ${file} has no service ${plainText(service)}${hint}`);
    return exitCode.failure;
  }
  const probed: Probed[] = [];
  const { host, port } = definition.instance;
  const context = { service, host, port, clock, heartbeats: { last: () => undefined } };
  const checks = (definition.mocked ? [] : definition.checks).map((options) => ({
    options,
    check: createCheck(options, context),
  }));
  const names = distinctNames(checks.map(({ check }) => check.name));
  for (const [index, { options, check }] of checks.entries()) {
    const about = {
      ...{ check: names[index] ?? check.name, type: options.type },
      target: targetOf(options, definition.instance),
    };
    probed.push({ ...about, ...(await probeOne(options, check, clock)) });
  }
  await endAllGroups(clock);
  const ok = probed.every(({ result }) => result !== 'fail');
  if (output === 'json') print('stdout', json({ service, ok, mocked: definition.mocked, checks: probed }));
  else print('stdout', page(probed, definition, width).join('\n'));
  return ok ? exitCode.stopped : exitCode.failure;
}

function page(probed: readonly Probed[], { mocked }: ServiceDefinition, width: number | undefined) {
  if (mocked) return ['check_mocked: it counts as up, and no check is executed'];
  if (probed.length === 0) return ['it has no checks: it counts as up'];
  const rows = probed.map(({ check, target, result, reason, tookMs }) => [
    ...[check, target, result],
    tookMs === undefined ? '-' : `${tookMs.toFixed(1)} ms`,
    reason ?? '',
  ]);
  return [
    ...table(['CHECK', 'TARGET', 'RESULT', 'TOOK', 'REASON'], rows, width),
    ...probed.flatMap((one) => stepsTable(one, width)),
  ];
}

function stepsTable({ check, steps }: Probed, width: number | undefined): readonly string[] {
  if (steps.length === 0) return [];
  const rows = steps.map(({ step, ok, atMs, tookMs, detail, reason }) => [
    ...[step, ok ? 'ok' : 'failed', `${atMs.toFixed(1)} ms`, `${tookMs.toFixed(1)} ms`],
    [detail, reason ?? ''].filter((text) => text !== '').join(': '),
  ]);
  return ['', plainText(check), ...table(['STEP', 'RESULT', 'AT', 'TOOK', 'DETAIL'], rows, width)];
}

async function probeOne(
  options: CheckOptions,
  check: Check,
  clock: Clock,
): Promise<Omit<Probed, 'check' | 'type' | 'target'>> {
  if (options.type === 'ttl')
    return {
      result: 'skipped',
      reason: 'only the running agent knows the heartbeats: nerve status',
      steps: [],
    };
  const started = clock.monotonic();
  const recorder = new TraceRecorder(clock);
  const result = await probeWithin(check, clock, new AbortController().signal, recorder);
  const tookMs = clock.monotonic() - started;
  const steps = recorder.finish(result);
  return result.ok
    ? { result: 'pass', tookMs, steps }
    : { result: 'fail', reason: result.reason, tookMs, steps };
}

/** What a check looks at, for people. */
function targetOf(options: CheckOptions, service: { readonly host: string; readonly port: number }): string {
  if (options.type === 'exec') return [options.command].flat().join(' ');
  if (options.type === 'systemd') return options.unit;
  if (options.type === 'plug-in') return options.module;
  if (options.type === 'ttl' || options.type === 'noop') return '';
  const at = `${options.host ?? service.host}:${options.port ?? service.port}`;
  if (options.type !== 'http') return at;
  return `${options.unixSocket ?? at}${options.uri.startsWith('/') ? '' : '/'}${options.uri}`;
}
