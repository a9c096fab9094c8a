import { type AdminAddress, exitCode, type Logger } from '@smartstack/agent';
import { ApiError } from '@smartstack/agent/apiClient';
import { BadUsage, connect, plainText } from '@smartstack/agent/cli';
import type { Plugins } from '@smartstack/agent/plugins';
import { openSession, type SessionOptions } from '@smartstack/registry';

import { load } from '../allFiles.js';
import { Facts } from '../checkup/facts.js';
import { findingLines, groupLines, isWell, reportJson, totalLine } from '../checkup/report.js';
import { examineAll, type Finding } from '../checkup/run.js';
import { defaultAgentSettings } from '../config/agentFile.js';
import type { Invocation } from './invocation.js';
import type { LintContext } from './lint.js';

/** What checking needs. */
export interface CheckupContext extends LintContext {
  readonly plugins?: Plugins;
  /** Characters in a line of the terminal; undefined where the output is none. */
  readonly width: number | undefined;
}

type CheckupInvocation = Extract<Invocation, { kind: 'checkup' }>;

/** Between two rounds of --wait, in milliseconds. */
const roundMs = 1_000;
/** `check` ends with linkerd's code for it, not with that of sysexits.h. */
const usageCode = 2;

/** `synapse check`: looks at every point, once or (with --wait) until none fails. Returns the exit code. */
export async function checkup(invocation: CheckupInvocation, context: CheckupContext): Promise<number> {
  const { clock, output } = context;
  const until = clock.monotonic() + invocation.waitMs;
  let told = '';
  try {
    for (;;) {
      const isLast = clock.monotonic() >= until;
      const findings = await round(invocation, context, isLast);
      if (isWell(findings) || isLast) {
        if (!isLast || invocation.format === 'json') print(findings, invocation, context);
        else output.out(totalOf(findings, invocation));
        return isWell(findings) ? exitCode.stopped : exitCode.failure;
      }
      const failing = findings.filter(({ outcome }) => outcome === 'failed').map(({ id }) => id);
      if (failing.join() !== told) output.err(`synapse: waiting for ${failing.join(', ')}`);
      told = failing.join();
      await clock.sleep(Math.min(roundMs, Math.max(0, until - clock.monotonic())));
    }
  } catch (error) {
    if (!(error instanceof BadUsage)) throw error;
    output.err(`synapse: ${plainText(error.message)}`);
    return usageCode;
  }
}

/** One look at everything; with `isShown` people see each finding as it comes. */
async function round(
  invocation: CheckupInvocation,
  context: CheckupContext,
  isShown: boolean,
): Promise<readonly Finding[]> {
  const { files, env, generators, clock, plugins } = { ...invocation, ...context };
  const loading = load(files, env, generators, plugins);
  const loaded = await loading;
  const { admin } = loaded.settings ?? defaultAgentSettings;
  const client = await connect(invocation, admin.listen.map(reachable), clock);
  const facts = new Facts({
    load: () => loading,
    call: async (path) => {
      if (invocation.address === undefined && admin.listen.length === 0)
        throw new ApiError('unreachable', 'the agent serves no API (`admin.listen` is false)');
      return client.call('GET', path);
    },
    openSession: (options: SessionOptions & { readonly logger: Logger }) => openSession(options),
    ...{ generators, clock, mayWrite: invocation.mayWrite },
  });
  try {
    const show = isShown && invocation.format !== 'json' ? showing(invocation, context) : () => undefined;
    return await examineAll(facts, invocation.isBeforeStart, show);
  } finally {
    await facts.close();
  }
}

/** Who listens on all addresses is asked at one. */
function reachable(address: AdminAddress): AdminAddress {
  if (!('host' in address)) return address;
  const { host, port } = address;
  return { host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port };
}

function print(findings: readonly Finding[], invocation: CheckupInvocation, context: CheckupContext): void {
  if (invocation.format === 'json') {
    context.output.out(reportJson(findings));
    return;
  }
  const show = showing(invocation, context);
  for (const finding of findings) show(finding);
  context.output.out(totalOf(findings, invocation));
}

function totalOf(findings: readonly Finding[], { format }: CheckupInvocation): string {
  return format === 'short' ? totalLine(findings) : `\n${totalLine(findings)}`;
}

function showing(
  { format }: CheckupInvocation,
  { env, output, width }: CheckupContext,
): (finding: Finding) => void {
  const isColoured = width !== undefined && !env.NO_COLOR && env.TERM !== 'dumb';
  let group: string | undefined;
  return (finding) => {
    if (format === 'short' && finding.outcome !== 'failed' && finding.outcome !== 'warning') return;
    if (format !== 'short' && finding.group !== group) {
      for (const line of groupLines(finding.group, group === undefined)) output.out(line);
      group = finding.group;
    }
    for (const line of findingLines(finding, { isColoured, width })) output.out(line);
  };
}
