import { type Clock, type ConfigIssue, exitCode, formatIssue } from '@smartstack/agent';

import { defaultAgentSettings } from '../config/agentFile.js';
import type { Configuration } from '../config/load.js';
import { blockIssues, hasErrors } from '../config/source.js';
import type { GeneratorTable, HostSettings } from '../generators/types.js';
import { viewOf } from '../viewOf.js';
import type { Discovery } from '../watchers/index.js';
import type { Loaded } from './load.js';
import type { Output } from './output.js';

/** What looking beyond the files needs. */
export interface Examiner {
  readonly generators: GeneratorTable;
  readonly clock: Clock;
}

/** `--check-config`: every issue on stderr, those of this machine too, and 0 or 1. */
export async function check(
  file: string,
  loaded: Loaded,
  output: Output,
  examiner: Examiner,
): Promise<number> {
  const { configuration } = loaded;
  const settings = loaded.settings ?? defaultAgentSettings;
  const found = configuration === undefined ? [] : await examined(configuration, examiner, settings);
  const issues = [...loaded.issues, ...found];
  for (const issue of issues) output.err(formatIssue(issue));
  if (configuration === undefined || hasErrors(issues)) {
    const errors = issues.filter(({ severity }) => severity === 'error').length;
    output.err(`${file}: ${errors} ${errors === 1 ? 'error' : 'errors'}`);
    return exitCode.failure;
  }
  output.out(`${file}: the configuration is valid, with ${configuration.services.size} services`);
  return exitCode.stopped;
}

/** What generators find when they look at all services together, and at the machine. */
export async function examined(
  configuration: Configuration<Discovery>,
  { generators, clock }: Examiner,
  settings: HostSettings,
): Promise<readonly ConfigIssue[]> {
  const view = viewOf(configuration, new Map());
  const { parsed } = configuration.main;
  const found = [...configuration.main.generators].map(async ([name, block]) => {
    const issues = (await generators.get(name)?.examine?.(block, view, clock, settings)) ?? [];
    return blockIssues({ parsed, path: [name] }, issues);
  });
  return (await Promise.all(found)).flat();
}
