import { dirname, join } from 'node:path';

import type { Connection } from '@smartstack/agent/cli';

import type { Files } from '../allFiles.js';

/** For people, or for programs. */
export type OutputFormat = 'table' | 'json';

/** How long ago a span begins and ends, in milliseconds. */
export interface StatSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A question to the running agent. */
export interface Question extends Connection {
  readonly about: 'services' | 'servers' | 'why' | 'plan' | 'stat' | 'edges' | 'graph';
  /** A service, or SERVICE/SERVER. */
  readonly target: string | undefined;
  readonly output: OutputFormat;
  /** Of which traffic is shown. */
  readonly span?: StatSpan;
  readonly wide?: boolean;
  /** Of this host only. */
  readonly local?: boolean;
  /** Of all hosts of the fleet. */
  readonly allHosts?: boolean | undefined;
  /** In the language of Graphviz. */
  readonly dot?: boolean;
}

/** A look at requests while they pass. */
export interface LiveQuestion extends Connection {
  readonly about: 'tap' | 'top';
  /** Of the agent's API, with what is asked for. */
  readonly path: string;
  readonly output: OutputFormat;
}

/** What the command line asks for. */
export type Invocation =
  | { readonly kind: 'run'; readonly files: Files; readonly debug: boolean; readonly shadow: boolean }
  | { readonly kind: 'check'; readonly files: Files }
  | {
      readonly kind: 'render';
      readonly files: Files;
      readonly catalogFile: string | undefined;
      /** Undefined: each that is configured. */
      readonly generator: string | undefined;
      readonly output: OutputFormat;
    }
  | {
      readonly kind: 'lint';
      readonly files: Files;
      readonly strict: boolean;
      readonly output: OutputFormat;
    }
  | {
      readonly kind: 'diff';
      readonly files: Files;
      readonly catalogFile: string | undefined;
      /** The live files, in place of those that the configuration names. */
      readonly haproxyFile: string | undefined;
      readonly stateFile: string | undefined;
      readonly output: OutputFormat;
    }
  | ({
      readonly kind: 'checkup';
      readonly files: Files;
      readonly format: OutputFormat | 'short';
      /** Before the agent is started. */
      readonly isBeforeStart: boolean;
      /** A znode may be created and deleted. */
      readonly mayWrite: boolean;
      /** For how long to look again while something fails, in milliseconds. */
      readonly waitMs: number;
    } & Connection)
  | { readonly kind: 'ask'; readonly question: Question }
  | { readonly kind: 'watch'; readonly question: LiveQuestion }
  /** Help, or the version. */
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'usage';
      readonly message: string;
      /** Where the command has another exit code for it. */
      readonly code?: number;
    };

type Environment = Readonly<Record<string, string | undefined>>;

/** The files that the flags and the environment name; undefined without a configuration. Empty ones count as absent. */
export function filesOf(
  flags: { readonly config?: string | undefined; readonly agentConfig?: string | undefined },
  env: Environment,
): Files | undefined {
  const configFile = flags.config || env.SYNAPSE_CONFIG;
  if (!configFile) return undefined;
  const named = flags.agentConfig || env.SYNAPSE_AGENT_CONFIG;
  const agentFile = named || join(dirname(configFile), 'agent.yaml');
  return { configFile, agentFile, agentFileNamed: Boolean(named) };
}

/** To run with these files. As in Ruby, any value of DEBUG counts, even an empty one. */
export function toRun(files: Files, env: Environment, shadow = false): Invocation {
  return { kind: 'run', files, debug: env.DEBUG !== undefined, shadow };
}

/**
 * Understands the command lines of unit files, `-c FILE` and no more, without the parser of all others, whose
 * loading would take a fifth of the start. Undefined for any other.
 */
export function plainInvocation(argv: readonly string[], env: Environment): Invocation | undefined {
  const [flag, config, ...rest] = argv;
  if ((flag !== '-c' && flag !== '--config') || !config || config.startsWith('-') || rest.length > 0)
    return undefined;
  const files = filesOf({ config }, env);
  return files && toRun(files, env);
}
