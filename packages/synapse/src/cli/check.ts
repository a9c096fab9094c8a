import { exitCode, formatIssue } from '@smartstack/agent';

import type { Loaded } from '../allFiles.js';
import { defaultAgentSettings } from '../config/agentFile.js';
import { hasErrors } from '../config/source.js';
import { examined, type Examiner } from '../examined.js';
import type { Output } from './output.js';

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
