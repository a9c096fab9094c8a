import type { Clock } from '@smartstack/agent';
import type { CatalogView } from '../../catalog/types.js';
import { desiredState } from './desired/desired.js';
import { emptyMemory } from './desired/memory.js';
import { withPrepared } from './desired/prepared.js';
import { descriptorNeed, descriptorProblem } from './file/descriptorNeed.js';
import { haproxyLimit } from './process/descriptorLimit.js';
import { readMaster } from './process/masterCli.js';
import type { HaproxyConfig } from './block/schema.js';

/** For one answer of a master, in milliseconds. */
const answerMs = 1_000;

/**
 * What is doubtful about services taken together (two on one address), and about the HAProxy that runs now, where
 * its master socket leads to it: too few file descriptors. One line for people each; changes nothing, never fails.
 */
export async function examine(
  config: HaproxyConfig,
  view: CatalogView,
  clock: Clock,
): Promise<readonly string[]> {
  const { desired, issues } = desiredState(config, withPrepared(view, config), emptyMemory, new Map(), 0);
  // What is wrong with a block by itself was found when it was read.
  const together = issues.filter(({ reason }) => !/^haproxy[.:]/.test(reason));
  const notes = together.map(({ service, instance, reason }) =>
    [service, instance, reason].filter((part) => part !== undefined).join(': '),
  );
  const { masterSocketPath } = config;
  if (masterSocketPath === undefined) return notes;
  const master = await readMaster(masterSocketPath, { clock, deadlineMs: answerMs }).catch(() => undefined);
  if (master === undefined) return notes;
  const problem = descriptorProblem(descriptorNeed(desired, true), await haproxyLimit(master.pid));
  return problem === undefined ? notes : [...notes, problem];
}
