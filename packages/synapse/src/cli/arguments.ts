import { connectionOptions, outputOption } from '@smartstack/agent/cliOptions';
import yargs, { type Argv } from 'yargs';

import type { Files } from '../allFiles.js';
import { version } from '../version.js';
import {
  filesOf,
  type Invocation,
  type LiveQuestion,
  type OutputFormat,
  type Question,
  toRun,
} from './invocation.js';
import { checkupOptions, waitOf } from './checkupOptions.js';
import { caller, edgesOptions, graphOptions } from './edgesOptions.js';
import { spanOf, statOptions } from './statOptions.js';
import { tapOptions, tapPath } from './tapOptions.js';

type Environment = Readonly<Record<string, string | undefined>>;

const exitCodes = `Exit codes:
   0  fine
   1  a failure; lint: an error (with --strict, a warning); diff: something differs;
      services, servers, why: something takes no traffic; plan: there is something to do;
      stat, tap, top: no such service; tap, top: it cannot be tapped;
      edges, graph: nobody calls it, and it nobody; check: something failed
  64  wrong usage (check: 2)
  69  the agent does not answer, or went away
  78  the configuration cannot be used`;

const text = { type: 'string', requiresArg: true } as const;
const fileOptions = {
  config: { ...text, alias: 'c', describe: 'configuration file (SYNAPSE_CONFIG)' },
  'agent-config': {
    ...text,
    describe: "the agent's own settings (SYNAPSE_AGENT_CONFIG; default: agent.yaml beside the configuration)",
  },
} as const;
const usual = '127.0.0.1:3455';
const connectionFlags = connectionOptions(usual);
const ofService = { type: 'string', describe: 'of this service only' } as const;
const catalogOption = {
  catalog: {
    ...text,
    describe: 'YAML or JSON file with the instances of each service (default: none discovered)',
  },
} as const;

interface FileFlags {
  readonly config?: string | undefined;
  readonly 'agent-config'?: string | undefined;
}

/** Understands the command line; `isTerminal` says whether people watch what is printed. Never ends the process, and prints nothing. */
export function parseArguments(argv: readonly string[], env: Environment, isTerminal = false): Invocation {
  let found: Invocation | undefined;
  const withFiles = (flags: FileFlags, make: (files: Files) => Invocation): void => {
    const files = filesOf(
      { config: nonEmpty(flags.config), agentConfig: nonEmpty(flags['agent-config']) },
      env,
    );
    found =
      files === undefined
        ? { kind: 'usage', message: 'name the configuration with -c or SYNAPSE_CONFIG' }
        : make(files);
  };
  const ask = (
    about: Question['about'],
    target: string | undefined,
    flags: Readonly<Record<string, unknown>>,
    more: Pick<Question, 'span' | 'wide' | 'local' | 'dot'> = {},
  ): void => {
    const { address, output } = flags;
    const connection = { address: nonEmpty(address), tokenFile: nonEmpty(flags['token-file']) };
    found = { kind: 'ask', question: { about, target, ...connection, output: format(output), ...more } };
  };
  const watch = (
    about: LiveQuestion['about'],
    service: string | undefined,
    flags: Readonly<Record<string, unknown>>,
    usual: Parameters<typeof tapPath>[2],
  ): void => {
    const asked = tapPath(service, flags, usual);
    const connection = { address: nonEmpty(flags.address), tokenFile: nonEmpty(flags['token-file']) };
    found =
      'problem' in asked
        ? { kind: 'usage', message: asked.problem }
        : { kind: 'watch', question: { about, ...connection, ...asked, output: format(flags.output) } };
  };
  const parser = yargs()
    .scriptName('synapse')
    .usage(
      '$0 -c FILE\n       $0 COMMAND\n\nKeeps the local HAProxy in step with the services in the registry.',
    )
    .command(
      ['$0', 'run'],
      'run the agent (the default)',
      (y: Argv) =>
        y.options({
          ...fileOptions,
          'check-config': {
            alias: 'k',
            type: 'boolean',
            describe: 'check the configuration, and exit with 0 or 1',
          },
          shadow: {
            type: 'boolean',
            default: false,
            describe: 'run beside another synapse: change nothing, report what differs',
          },
        }),
      (flags) =>
        withFiles(flags, (files) =>
          flags['check-config'] === true ? { kind: 'check', files } : toRun(files, env, flags.shadow),
        ),
    )
    .command(
      'render',
      'print what the generators would write, and exit',
      (y: Argv) =>
        y.options({
          ...fileOptions,
          ...catalogOption,
          ...outputOption,
          generator: {
            ...text,
            describe: 'only this one: haproxy, file_output … (default: each that is configured)',
          },
        }),
      (flags) =>
        withFiles(flags, (files) => ({
          ...{ kind: 'render', files, catalogFile: nonEmpty(flags.catalog) },
          ...{ output: format(flags.output), generator: nonEmpty(flags.generator) },
        })),
    )
    .command(
      'lint',
      'say what in the configuration does not do what it seems to, with its place and the way out',
      (y: Argv) =>
        y.options({
          ...fileOptions,
          ...outputOption,
          strict: { type: 'boolean', default: false, describe: 'exit with 1 for warnings, too' },
        }),
      (flags) =>
        withFiles(flags, (files) => ({
          ...{ kind: 'lint', files, strict: flags.strict, output: format(flags.output) },
        })),
    )
    .command(
      'diff',
      'say what would change against a haproxy.cfg and a state file that another synapse wrote',
      (y: Argv) =>
        y.options({
          ...fileOptions,
          ...catalogOption,
          ...outputOption,
          haproxy: { ...text, describe: 'the live haproxy.cfg (default: config_file_path)' },
          state: { ...text, describe: 'the live state file (default: state_file_path)' },
        }),
      (flags) =>
        withFiles(flags, (files) => ({
          ...{ kind: 'diff', files, catalogFile: nonEmpty(flags.catalog), output: format(flags.output) },
          ...{ haproxyFile: nonEmpty(flags.haproxy), stateFile: nonEmpty(flags.state) },
        })),
    )
    .command(
      'check',
      'look at everything that synapse needs and does, and say of each what is wrong and the way out',
      (y: Argv) => y.options({ ...fileOptions, ...checkupOptions('where admin.listen says') }),
      (flags) =>
        withFiles(flags, (files) => {
          const waitMs = waitOf(flags.wait);
          if (typeof waitMs === 'string') return { kind: 'usage', message: waitMs };
          const { pre: isBeforeStart, write: mayWrite } = flags;
          const connection = { address: nonEmpty(flags.address), tokenFile: nonEmpty(flags['token-file']) };
          const shape = flags.output === 'short' ? 'short' : format(flags.output);
          return { kind: 'checkup', files, ...connection, format: shape, isBeforeStart, mayWrite, waitMs };
        }),
    )
    .command(
      'services',
      'show the services of the running agent: where their instances come from, and how many serve',
      (y: Argv) => y.options(connectionFlags),
      (flags) => ask('services', undefined, flags),
    )
    .command(
      'servers [service]',
      'show servers: their state, weight, and why one takes no traffic',
      (y: Argv) => y.positional('service', ofService).options(connectionFlags),
      (flags) => ask('servers', flags.service, flags),
    )
    .command(
      'why <service>',
      'explain a service, or SERVICE/SERVER: each step from the registry to what runs, with its time',
      (y: Argv) =>
        y
          .positional('service', {
            type: 'string',
            demandOption: true,
            describe: 'SERVICE or SERVICE/SERVER',
          })
          .options(connectionFlags),
      (flags) => ask('why', flags.service, flags),
    )
    .command(
      'plan',
      'show what the next reconcile of the running agent would do; nothing is done',
      (y: Argv) => y.options(connectionFlags),
      (flags) => ask('plan', undefined, flags),
    )
    .command(
      'stat [service]',
      'show the traffic of services, or of one and its servers: success, rate, latencies',
      (y: Argv) =>
        y
          .positional('service', { type: 'string', describe: 'this one and its servers' })
          .options(statOptions(usual)),
      (flags) => {
        const span = spanOf(flags);
        if (typeof span === 'string') found = { kind: 'usage', message: span };
        else
          ask('stat', flags.service, flags, {
            ...{ span, wide: flags.output === 'wide', allHosts: flags['all-hosts'] },
          });
      },
    )
    .command(
      'edges [name]',
      'show who calls whom, and how it is known: on this host, or in its fleet where that is told',
      (y: Argv) => y.positional('name', caller).options(edgesOptions(usual)),
      (flags) => ask('edges', flags.name, flags, { wide: flags.output === 'wide', local: flags.local }),
    )
    .command(
      'graph [name]',
      'print who calls whom as a graph: JSON, or for Graphviz',
      (y: Argv) => y.positional('name', caller).options(graphOptions(usual)),
      (flags) => ask('graph', flags.name, flags, { local: flags.local, dot: flags.dot }),
    )
    .command(
      'tap <service>',
      'show the requests of a service while they pass, each when it has ended',
      (y: Argv) =>
        y
          .positional('service', { type: 'string', demandOption: true, describe: 'the service' })
          .options(tapOptions(usual))
          .option('limit', { ...text, describe: 'end after so many' }),
      (flags) => watch('tap', flags.service, flags, { maxRps: 100 }),
    )
    .command(
      'top [service]',
      'show who sends what most: on a terminal until Ctrl-C, elsewhere for five seconds',
      (y: Argv) => y.positional('service', ofService).options(tapOptions(usual)),
      (flags) =>
        watch('top', flags.service, flags, {
          maxRps: 1_000,
          ...((!isTerminal || flags.output === 'json') && { forMs: 5_000 }),
        }),
    )
    .epilogue(exitCodes)
    .help('help')
    .alias('help', 'h')
    .version(version)
    .parserConfiguration({ 'duplicate-arguments-array': false, 'camel-case-expansion': false })
    .strict()
    .showHelpOnFail(false)
    .exitProcess(false)
    .fail((message: string, error: unknown) => {
      // Typed as always given, but it is null when the command line is at fault.
      throw error instanceof Error ? error : new Error(message || 'unusable arguments');
    });
  try {
    let printed = '';
    const flags = parser.parse([...argv], {}, (_error: unknown, _argv: unknown, output: string) => {
      printed = output;
    }) as { readonly help?: unknown; readonly version?: unknown };
    if (flags.help === true || flags.version === true) return { kind: 'text', text: printed };
    return inItsCode(argv, found ?? { kind: 'usage', message: 'unusable arguments' });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return inItsCode(argv, { kind: 'usage', message });
  }
}

/** `check` is used as linkerd's is, whose code for wrong usage is 2. */
function inItsCode([command]: readonly string[], found: Invocation): Invocation {
  return found.kind === 'usage' && command === 'check' ? { ...found, code: 2 } : found;
}

function format(output: unknown): OutputFormat {
  return output === 'json' ? 'json' : 'table';
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
