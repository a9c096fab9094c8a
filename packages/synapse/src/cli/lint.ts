import { type Clock, exitCode } from '@smartstack/agent';
import { reportLint } from '@smartstack/agent/cli';
import type { Plugins } from '@smartstack/agent/plugins';
import type { Instance } from '@smartstack/registry';

import { type Environment, load } from '../allFiles.js';
import { defaultAgentSettings } from '../config/agentFile.js';
import { examined } from '../examined.js';
import type { GeneratorTable } from '../generators/types.js';
import { lint } from '../lint/lint.js';
import { viewOf } from '../viewOf.js';
import type { Invocation } from './invocation.js';
import type { Output } from './output.js';

/** What linting needs. */
export interface LintContext {
  readonly env: Environment;
  readonly generators: GeneratorTable;
  readonly clock: Clock;
  readonly output: Output;
  /** Loads the modules that the configuration names. */
  readonly plugins?: Plugins;
}

/** Lines that are dropped or refused: lint says where they stand. */
const toldWithPlace = /^\S+: (frontend|backend|listen|shared_frontend): '/;

/** Stands for whatever may register, so that a server's line can be tried. */
const anybody: Instance = { host: '127.0.0.1', port: 65_535, name: 'lint' };

/** `synapse lint`: the issues of --check-config, and whatever does not do what it seems to. Returns the exit code. */
export async function lintConfiguration(
  { files, strict, output: format }: Extract<Invocation, { kind: 'lint' }>,
  { env, generators, clock, output, plugins }: LintContext,
): Promise<number> {
  const file = files.configFile;
  const { configuration, issues, settings } = await load(files, env, generators, plugins);
  const examiner = { generators, clock };
  const all = [...issues];
  if (configuration !== undefined) {
    const instances = new Map([...configuration.services.keys()].map((name) => [name, [anybody]] as const));
    const view = viewOf(configuration, instances);
    const { generators: blocks } = configuration.main;
    all.push(
      ...(await examined(configuration, examiner, settings ?? defaultAgentSettings)).filter(
        ({ message }) => !toldWithPlace.test(message),
      ),
      ...(await lint({ file, env, generators, blocks, view, clock })),
    );
  }
  const code = reportLint({
    ...{ file, issues: all, strict, output: format },
    print: (stream, line) => (stream === 'stdout' ? output.out(line) : output.err(line)),
  });
  return configuration === undefined || settings === undefined ? exitCode.failure : code;
}
