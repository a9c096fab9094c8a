import type { Clock } from '@smartstack/agent';
import type { BlockIssue, CatalogView } from '../../catalog/types.js';
import { desiredState } from './desired/desired.js';
import { withOwnLines } from './desired/ownLines.js';
import { emptyMemory } from './desired/memory.js';
import { withPrepared } from './desired/prepared.js';
import { descriptorNeed, descriptorProblem } from './file/descriptorNeed.js';
import { runCommand } from '@smartstack/agent/command';
import { haproxyLimit } from './process/descriptorLimit.js';
import { readMaster } from './process/masterCli.js';
import type { HaproxyConfig } from './block/schema.js';
import type { DesiredState } from './types.js';

/** For one answer of a master, in milliseconds. */
const answerMs = 1_000;
/** For one answer of the executable, in milliseconds. */
const versionMs = 5_000;

/**
 * What is wrong with services taken together (two on one address), with the HAProxy that runs now, where its master
 * socket leads to it (too few file descriptors), and with the executable. Changes nothing, never fails.
 */
export async function examine(
  config: HaproxyConfig,
  view: CatalogView,
  clock: Clock,
): Promise<readonly BlockIssue[]> {
  const all = withPrepared(view, config);
  const wanted = desiredState(config, all, emptyMemory, new Map(), 0);
  const { desired, issues } = withOwnLines(wanted, config, all);
  // What is wrong with a block by itself was found when it was read.
  const together = issues.filter(({ reason }) => !/^haproxy[.:]/.test(reason));
  const warnings = together.map(({ service, instance, reason }) =>
    [service, instance, reason].filter((part) => part !== undefined).join(': '),
  );
  const tooFew = await runningProblem(config, desired, clock);
  if (tooFew !== undefined) warnings.push(tooFew);
  return [
    ...warnings.map((message): BlockIssue => ({ path: [], message, severity: 'warning' })),
    ...(await binaryProblem(config, clock)),
  ];
}

async function runningProblem(
  { masterSocketPath }: HaproxyConfig,
  desired: DesiredState,
  clock: Clock,
): Promise<string | undefined> {
  if (masterSocketPath === undefined) return undefined;
  const master = await readMaster(masterSocketPath, { clock, deadlineMs: answerMs }).catch(() => undefined);
  if (master === undefined) return undefined;
  return descriptorProblem(descriptorNeed(desired, true), await haproxyLimit(master.pid));
}

/** Without a haproxy there is nothing to start, or no check of what is written. */
async function binaryProblem(
  { managed, doWrites, checkCommand, doChecks, haproxyBinary }: HaproxyConfig,
  clock: Clock,
): Promise<readonly BlockIssue[]> {
  const checksWithIt = doWrites && !(doChecks && checkCommand !== undefined);
  if (!managed && !checksWithIt) return [];
  const result = await runCommand(haproxyBinary, ['-v'], { clock, timeoutMs: versionMs });
  const { exitCode, problem, output } = result;
  if (exitCode === 0) return [];
  const why = problem ?? `it exits with ${exitCode ?? 'a signal'}: ${output.trim().split('\n')[0] ?? ''}`;
  const effect = managed ? 'there is no HAProxy to start' : 'new files are not checked before they are used';
  const message = `${haproxyBinary} -v does not run, so that ${effect} (${why})`;
  return [{ path: ['haproxy_binary'], message, severity: managed ? 'error' : 'warning' }];
}
