import { type ConfigIssue, exitCode, formatIssue, systemClock } from '@smartstack/agent';

import type { MainFile } from '../config/main.js';
import { blockIssues, hasErrors } from '../config/source.js';
import type { GeneratorTable } from '../generators/types.js';
import type { Loaded } from './load.js';

/** Where the commands write; main.ts lends the process's own. */
export interface Output {
  out(line: string): void;
  err(line: string): void;
}

/** `--check-config`: every issue on stderr, those of this machine too, and 0 or 1. */
export async function check(
  file: string,
  loaded: Loaded,
  generators: GeneratorTable,
  output: Output,
): Promise<number> {
  const { configuration } = loaded;
  const issues = [
    ...loaded.issues,
    ...(configuration ? await machineIssues(configuration.main, generators) : []),
  ];
  for (const issue of issues) output.err(formatIssue(issue));
  if (configuration === undefined || hasErrors(issues)) {
    const errors = issues.filter(({ severity }) => severity === 'error').length;
    output.err(`${file}: ${errors} ${errors === 1 ? 'error' : 'errors'}`);
    return exitCode.failure;
  }
  output.out(`${file}: the configuration is valid, with ${configuration.services.size} services`);
  return exitCode.stopped;
}

async function machineIssues(main: MainFile, generators: GeneratorTable): Promise<readonly ConfigIssue[]> {
  const found = [...main.generators].map(async ([name, block]) => {
    const issues = (await generators.get(name)?.examine?.(block, systemClock)) ?? [];
    return blockIssues({ parsed: main.parsed, path: [name] }, issues);
  });
  return (await Promise.all(found)).flat();
}
