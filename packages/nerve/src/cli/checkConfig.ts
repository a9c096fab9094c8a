import { exitCode, formatIssue } from '@smartstack/agent';
import { loadConfig, type LoadOptions } from '../config/load.js';

/** Says on `print` whether the configuration is valid, issue by issue. Returns the exit code, 0 or 1. */
export async function checkConfig(
  options: LoadOptions,
  print: (stream: 'stdout' | 'stderr', line: string) => void,
): Promise<number> {
  const { issues, services } = await loadConfig(options);
  for (const issue of issues) print('stderr', formatIssue(issue));
  const errors = issues.filter(({ severity }) => severity === 'error').length;
  if (errors > 0) {
    print('stderr', `${options.file}: ${errors} ${errors === 1 ? 'error' : 'errors'}`);
    return exitCode.failure;
  }
  print('stdout', `${options.file}: the configuration is valid, with ${services.size} services`);
  return exitCode.stopped;
}
