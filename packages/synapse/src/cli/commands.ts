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
  within,
} from '@smartstack/agent';
import { declareZooKeeperMetrics, openSession } from '@smartstack/registry';

import { type Environment, load, startable } from '../allFiles.js';
import { defaultAgentSettings } from '../config/agentFile.js';
import { runDaemon } from '../daemon.js';
import type { GeneratorTable } from '../generators/types.js';
import { Synapse } from '../synapse.js';
import { version } from '../version.js';
import { viewOf } from '../viewOf.js';
import { check } from './check.js';
import { type Invocation, plainInvocation } from './invocation.js';
import type { Output } from './output.js';
import type { Screen } from './screen.js';
import { printIssues, readCatalog, renderAll } from './render.js';

/** For whoever reads what a command prints, in milliseconds. */
const printingMs = 30_000;

/** What main.ts lends of its process. */
export interface CommandHost extends Output {
  readonly argv: readonly string[];
  readonly env: Environment;
  /** Whether people watch the log. */
  readonly isTerminal: boolean;
  /** Characters in a line of the terminal that is written to; undefined where it is none. */
  readonly width: number | undefined;
  /** For commands that go on. */
  readonly screen: () => Screen;
  /** Resolves when whatever was written has left the process. */
  readonly printed: () => Promise<void>;
  /** Loads modules that a configuration names. */
  readonly plugins?: Plugins;
  readonly process: Omit<ProcessHost, 'clock' | 'logger'>;
}

/** Carries out a command line, and ends the process with its exit code. */
export async function runCommandLine(host: CommandHost, generators: GeneratorTable): Promise<void> {
  const invocation =
    plainInvocation(host.argv, host.env) ??
    (await import('./arguments.js')).parseArguments(host.argv, host.env, host.screen().size() !== undefined);
  const code = await carryOut(invocation, host, generators);
  if (code === undefined) return;
  await within(host.printed(), printingMs, systemClock);
  host.process.exit(code);
}

/** Returns the exit code; undefined for the agent itself, which ends by its own. */
async function carryOut(
  invocation: Invocation,
  host: CommandHost,
  generators: GeneratorTable,
): Promise<number | undefined> {
  const { env, plugins } = host;
  const aside = { env, generators, clock: systemClock, output: host, ...(plugins && { plugins }) };
  switch (invocation.kind) {
    case 'text':
      host.out(invocation.text);
      return exitCode.stopped;
    case 'usage':
      host.err(`synapse: ${invocation.message}\nTry synapse --help.`);
      return invocation.code ?? exitCode.usage;
    case 'check': {
      const loaded = await load(invocation.files, host.env, generators, host.plugins);
      return check(invocation.files.configFile, loaded, host, { generators, clock: systemClock });
    }
    case 'render':
      return render(invocation, host, generators);
    case 'diff': {
      const { diffLiveFiles } = await import('./diff.js');
      return diffLiveFiles(invocation, aside);
    }
    case 'lint': {
      const { lintConfiguration } = await import('./lint.js');
      return lintConfiguration(invocation, aside);
    }
    case 'checkup': {
      const { checkup } = await import('./checkup.js');
      return checkup(invocation, { ...aside, width: host.width });
    }
    case 'ask': {
      const { ask } = await import('./ask.js');
      return ask(invocation.question, { clock: systemClock, output: host, width: host.width });
    }
    case 'watch': {
      const { watch } = await import('./tap.js');
      return watch(invocation.question, { clock: systemClock, screen: host.screen() });
    }
    case 'run':
      await start(invocation, host, generators);
      return undefined;
  }
}

async function render(
  { files, catalogFile, generator: only, output }: Extract<Invocation, { kind: 'render' }>,
  host: CommandHost,
  generators: GeneratorTable,
): Promise<number> {
  try {
    const loaded = await load(files, host.env, generators, host.plugins);
    const { configuration, settings } = startable(loaded);
    const discovered = catalogFile === undefined ? new Map() : await readCatalog(catalogFile);
    const view = viewOf(configuration, discovered);
    return await renderAll(configuration, view, { generators, only, output, settings }, host);
  } catch (error) {
    if (error instanceof ConfigError) return printIssues(error, host);
    host.err(`synapse: ${describeError(error)}`);
    return exitCode.failure;
  }
}

async function start(
  { files, debug, shadow }: Extract<Invocation, { kind: 'run' }>,
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
    logger.info('starting', { version, configuration: files.configFile, ...(shadow && { shadow }) });
    const metrics = createMetrics();
    const used = shadow
      ? await (
          await import('./shadow.js')
        ).shadowsOf(generators, configuration, {
          ...{ clock, logger, metrics, location: settings.location },
        })
      : generators;
    const synapse = new Synapse({
      source: { file: files.configFile, env: host.env },
      configuration,
      issues: loaded.issues,
      settings,
      generators: used,
      isShadow: shadow,
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
