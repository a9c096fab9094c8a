import type { Clock } from '@smartstack/agent';
import { runCommand } from '@smartstack/agent/command';
import type { BlockIssue, CatalogView } from '../../catalog/types.js';
import { configOf } from '../blocks.js';
import { readNginxBlock } from './blocks.js';
import { desiredSections } from './desired.js';

/** For one answer of the executable, in milliseconds. */
const versionMs = 5_000;

/** What is wrong with services taken together (two on one address), and with the executable. Changes nothing, never fails. */
export async function examine(
  block: unknown,
  view: CatalogView,
  clock: Clock,
): Promise<readonly BlockIssue[]> {
  const config = configOf('nginx', readNginxBlock(block));
  const { issues } = desiredSections(config, view, new Map());
  // What is wrong with a block by itself was found when it was read.
  const together = issues.filter(
    ({ instance, reason }) => instance === undefined && !/^nginx[.:]/.test(reason),
  );
  const warnings = together.map(({ service, reason }): BlockIssue => ({
    ...{ path: [], message: `${service}: ${reason}` },
    severity: 'warning',
  }));
  const { doWrites, checkCommand, nginxBinary } = config;
  if (!doWrites || checkCommand !== undefined) return warnings;
  const { exitCode, problem } = await runCommand(nginxBinary, ['-v'], { clock, timeoutMs: versionMs });
  if (exitCode === 0) return warnings;
  const why = problem ?? `it exits with ${exitCode ?? 'a signal'}`;
  const message = `${nginxBinary} -v does not run, so that new files are not checked before they are used (${why})`;
  return [...warnings, { path: ['nginx_binary'], message, severity: 'warning' }];
}
