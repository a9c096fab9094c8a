import { ConfigError, type ConfigIssue } from '@smartstack/agent';

import type { Plugins } from '@smartstack/agent/plugins';

import { type AgentSettings, readAgentSettings } from './config/agentFile.js';
import { type Configuration, loadConfiguration, type LoadResult } from './config/load.js';
import { hasErrors } from './config/source.js';
import type { GeneratorTable } from './generators/types.js';
import { variantsOf } from './variants.js';
import type { Discovery } from './watchers/index.js';

/** Where the settings come from. */
export interface Files {
  readonly configFile: string;
  readonly agentFile: string;
  /** The agent file was named, so that it must exist. */
  readonly agentFileNamed: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything that the files say, and everything that is wrong with them. */
export interface Loaded extends LoadResult<Discovery> {
  readonly settings: AgentSettings | undefined;
  /** Errors that an agent refuses to start with: all but those in a service's own file. */
  readonly fatal: readonly ConfigIssue[];
}

/** Reads all files. */
export async function load(
  files: Files,
  env: Environment,
  generators: GeneratorTable,
  plugins?: Plugins,
): Promise<Loaded> {
  const { configFile: file, agentFile, agentFileNamed } = files;
  const agent = await readAgentSettings(agentFile, !agentFileNamed, env);
  const variants = variantsOf(generators, plugins);
  const { configuration, issues } = await loadConfiguration({ file, env, variants });
  const fatal = [...agent.issues, ...issues.filter((issue) => issue.file === file)];
  return {
    settings: agent.settings,
    configuration,
    issues: [...agent.issues, ...issues],
    fatal: hasErrors(fatal) ? fatal : [],
  };
}

/** What to start with. Throws ConfigError with every issue when that is not possible. */
export function startable({ settings, configuration, issues, fatal }: Loaded): {
  readonly settings: AgentSettings;
  readonly configuration: Configuration<Discovery>;
} {
  if (fatal.length > 0 || settings === undefined || configuration === undefined)
    throw new ConfigError(issues);
  return { settings, configuration };
}
