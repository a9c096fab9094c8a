import { type Clock, exitCode, formatIssue } from '@smartstack/agent';

import { hasErrors } from '../config/source.js';
import type { GeneratorTable } from '../generators/types.js';
import type { Loaded } from './load.js';
import type { Output } from './output.js';
import { viewOf } from './render.js';

/** `--check-config`: every issue on stderr, and 0 or 1. */
export async function check(
  file: string,
  { configuration, issues }: Loaded,
  output: Output,
  { generators, clock }: { readonly generators: GeneratorTable; readonly clock: Clock },
): Promise<number> {
  for (const issue of issues) output.err(formatIssue(issue));
  if (configuration === undefined || hasErrors(issues)) {
    const errors = issues.filter(({ severity }) => severity === 'error').length;
    output.err(`${file}: ${errors} ${errors === 1 ? 'error' : 'errors'}`);
    return exitCode.failure;
  }
  const view = viewOf(configuration, new Map());
  for (const [name, block] of configuration.main.generators) {
    const doubts = (await generators.get(name)?.examine?.(block, view, clock)) ?? [];
    for (const message of doubts) {
      const place = { file, line: 0, column: 0, path: name };
      output.err(formatIssue({ ...place, message, severity: 'warning' }));
    }
  }
  output.out(`${file}: the configuration is valid, with ${configuration.services.size} services`);
  return exitCode.stopped;
}
