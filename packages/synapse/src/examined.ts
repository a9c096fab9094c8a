import type { Clock, ConfigIssue } from '@smartstack/agent';

import type { Configuration } from './config/load.js';
import { blockIssues } from './config/source.js';
import type { GeneratorTable, HostSettings } from './generators/types.js';
import { viewOf } from './viewOf.js';
import type { Discovery } from './watchers/index.js';

/** What looking beyond the files needs. */
export interface Examiner {
  readonly generators: GeneratorTable;
  readonly clock: Clock;
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
