import { reportLint } from '@smartstack/agent/cli';
import { lint } from '../config/lint.js';
import { loadConfig } from '../config/load.js';
import type { Action } from './command.js';
import type { Console } from './console.js';

/** `nerve lint`: the issues of check-config, and whatever does not do what it seems to. Returns the exit code. */
export async function lintConfig(
  { file, instanceId, strict, output }: Extract<Action, { kind: 'lint' }>,
  { env, plugins, print }: Console,
): Promise<number> {
  const { issues } = await loadConfig({ file, instanceId, plugins });
  return reportLint({ file, issues: [...issues, ...(await lint(file, env))], strict, output, print });
}
