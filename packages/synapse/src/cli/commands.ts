import type { Plugins } from '@smartstack/agent/plugins';
import {
  ConfigError,
  createLogger,
  loggerOptions,
  createMetrics,
  describeError,
  exitCode,
  type Logger,
  type Metrics,
  type ProcessHost,
  runMain,
  systemClock,
} from '@smartstack/agent';
import { declareZooKeeperMetrics, openSession } from '@smartstack/registry';

import { defaultAgentSettings } from '../config/agentFile.js';
import { runDaemon } from '../daemon.js';
import type { GeneratorTable } from '../generators/types.js';
import { Synapse } from '../synapse.js';
import { version } from '../version.js';
import { check } from './check.js';
import { type Invocation, plainInvocation } from './invocation.js';
import type { Output } from './output.js';
import { type Environment, load, startable } from './load.js';
import { printIssues, readCatalog, renderAll, viewOf } from './render.js';

/** What main.ts lends of its process. */
export interface CommandHost extends Output {
  readonly argv: readonly string[];
  readonly env: Environment;
  /** Whether people watch the log. */
  readonly isTerminal: boolean;
  /** Loads modules that a configuration names. */
  readonly plugins?: Plugins;
  readonly process: Omit<ProcessHost, 'clock' | 'logger'>;
}

/** Carries out a command line, and ends the process with its exit code. */
export async function runCommandLine(host: CommandHost, generators: GeneratorTable): Promise<void> {
  const invocation =
    plainInvocation(host.argv, host.env) ??
    (await import('./arguments.js')).parseArguments(host.argv, host.env);
  switch (invocation.kind) {
    case 'text':
      host.out(invocation.text);
      host.process.exit(exitCode.stopped);
      return;
    case 'usage':
      host.err(`synapse: ${invocation.message}\nTry synapse --help.`);
      host.process.exit(exitCode.usage);
      return;
    case 'check': {
      const loaded = await load(invocation.files, host.env, generators, host.plugins);
      const { configFile } = invocation.files;
      host.process.exit(await check(configFile, loaded, host, { generators, clock: systemClock }));
      return;
    }
    case 'render':
      host.process.exit(await render(invocation, host, generators));
      return;
    case 'run':
      await start(invocation, host, generators);
  }
}

async function render(
  { files, catalogFile }: Extract<Invocation, { kind: 'render' }>,
  host: CommandHost,
  generators: GeneratorTable,
): Promise<number> {
  try {
    const loaded = await load(files, host.env, generators, host.plugins);
    const { configuration } = startable(loaded);
    const discovered = catalogFile === undefined ? new Map() : await readCatalog(catalogFile);
    return await renderAll(configuration, viewOf(configuration, discovered), generators, host);
  } catch (error) {
    if (error instanceof ConfigError) return printIssues(error, host);
    host.err(`synapse: ${describeError(error)}`);
    return exitCode.failure;
  }
}

async function start(
  { files, debug }: Extract<Invocation, { kind: 'run' }>,
  host: CommandHost,
  generators: GeneratorTable,
): Promise<void> {
  const loaded = await load(files, host.env, generators, host.plugins);
  const { log } = loaded.settings ?? defaultAgentSettings;
  const logger = createLogger(loggerOptions(log, { debug, isTerminal: host.isTerminal }));
  const clock = systemClock;
  const main: ProcessHost = {
    ...host.process,
    exit: (code) => {
      host.out('synapse has exited');
      host.process.exit(code);
    },
    clock,
    logger,
  };
  await runMain(async (lifetime) => {
    const { settings, configuration } = startable(loaded);
    logger.info('starting', { version, configuration: files.configFile });
    const metrics = createMetrics();
    const synapse = new Synapse({
      source: { file: files.configFile, env: host.env },
      configuration,
      issues: loaded.issues,
      settings,
      generators,
      ...(host.plugins && { plugins: host.plugins }),
      openSession: sessionOpener(logger, metrics),
      clock,
      logger,
      metrics,
      version,
    });
    await runDaemon({ synapse, settings, env: host.env, clock, logger, metrics }, lifetime);
  }, main);
}

function sessionOpener(
  logger: Logger,
  metrics: Metrics,
): ConstructorParameters<typeof Synapse>[0]['openSession'] {
  const zookeeper = declareZooKeeperMetrics(metrics);
  const log = logger.child({ component: 'zookeeper' });
  return (options) => openSession({ ...options, logger: log, metrics: zookeeper });
}
