import { exitCode, formatIssue } from '@smartstack/agent';

import { hasErrors } from '../config/source.js';
import type { Loaded } from './load.js';

/** Where the commands write; main.ts lends the process's own. */
export interface Output {
  out(line: string): void;
  err(line: string): void;
}

/** `--check-config`: every issue on stderr, and 0 or 1. */
export function check(file: string, { configuration, issues }: Loaded, output: Output): number {
  for (const issue of issues) output.err(formatIssue(issue));
  if (configuration === undefined || hasErrors(issues)) {
    const errors = issues.filter(({ severity }) => severity === 'error').length;
    output.err(`${file}: ${errors} ${errors === 1 ? 'error' : 'errors'}`);
    return exitCode.failure;
  }
  output.out(`${file}: the configuration is valid, with ${configuration.services.size} services`);
  return exitCode.stopped;
}
