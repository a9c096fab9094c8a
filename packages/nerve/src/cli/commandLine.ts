import { connectionOptions, outputOption } from '@smartstack/agent/cliOptions';
import yargs, { type Argv } from 'yargs';
import { type Action, type Command, type Environment, toCommand } from './command.js';

const exitCodes = `Exit codes:
   0  fine
   1  a failure; status: something is not up, or is drained; probe: a check failed;
      lint: an error (with --strict, a warning);
      drain --wait: callers have not let go in time, or somebody undrained meanwhile
  64  wrong usage
  69  the agent does not answer
  73  init: the file exists, or cannot be made
  78  the configuration cannot be used`;

const fileOptions = {
  config: { alias: 'c', type: 'string', requiresArg: true, describe: 'The main file (or NERVE_CONFIG)' },
  instance_id: {
    alias: ['i', 'instance-id'],
    type: 'string',
    requiresArg: true,
    describe: 'Names this host in the registry, instead of the file (or NERVE_INSTANCE_ID)',
  },
} as const;
const checkOption = {
  'check-config': {
    alias: 'k',
    type: 'boolean',
    describe: 'Only say whether the configuration is valid: exit 0 or 1 (or NERVE_CHECK_CONFIG, any value)',
  },
} as const;
const connectionFlags = connectionOptions('/run/nerve/nerve.sock, else 127.0.0.1:3454');
const shadowOption = {
  shadow: {
    type: 'boolean',
    describe: 'Run beside another nerve: register and write nothing, report what differs',
  },
} as const;
const allOption = { all: { type: 'boolean', describe: 'The whole host' } } as const;

const text = { type: 'string', requiresArg: true } as const;
const service = { type: 'string', describe: 'The name of the service' } as const;

/** Reads the arguments (without the program's own name). Flags go before the environment. */
export function parseCommandLine(args: readonly string[], env: Environment, version: string): Command {
  let command: Command | undefined;
  const act = (action: Action): void => void (command = { kind: 'action', action });
  const bad = (message: string): void => void (command = { kind: 'usage', text: message });
  const target = (flags: { service?: string | undefined; all?: boolean | undefined }): boolean => {
    if ((flags.service === undefined) === (flags.all === true)) return true;
    bad('give either the name of a service, or --all for the whole host');
    return false;
  };
  const parser = yargs()
    .scriptName('nerve')
    .help('help', 'Show this')
    .alias('help', 'h')
    .version('version', 'Show the version', version)
    .usage(
      'Usage: $0 --config /path/to/nerve.yaml\n       $0 COMMAND\n\nChecks local services and registers the healthy ones.',
    )
    .command(
      ['$0', 'run'],
      'Run the agent (the default)',
      (y: Argv) => y.options({ ...fileOptions, ...checkOption, ...shadowOption }),
      (flags) =>
        void (command = toCommand(
          {
            ...{ file: flags.config, instanceId: flags.instance_id },
            ...{ check: flags['check-config'], shadow: flags.shadow },
          },
          env,
        )),
    )
    .command(
      'check-config',
      'Say whether the configuration is valid',
      (y: Argv) => y.options(fileOptions),
      (flags) =>
        void (command = toCommand({ file: flags.config, instanceId: flags.instance_id, check: true }, env)),
    )
    .command(
      'status [service]',
      'Show the services of this host, or one of them with its checks',
      (y: Argv) => y.positional('service', service).options(connectionFlags),
      (flags) => act({ kind: 'status', service: flags.service, ...connection(flags) }),
    )
    .command(
      'drain [service]',
      'Withdraw a service until it is undrained; its checks go on',
      (y: Argv) =>
        y.positional('service', service).options({
          ...allOption,
          reason: { ...text, describe: 'Why, for people' },
          for: { ...text, describe: 'It ends by itself after this time, such as 10m or 1h30m' },
          until: {
            ...text,
            conflicts: 'for',
            describe: 'It ends by itself then, such as 2030-01-31T12:00:00Z (or, without Z, local time)',
          },
          shutdown: {
            type: 'boolean',
            default: false,
            describe: "Run the service's drain.shutdown_command once callers have let go",
          },
          wait: { type: 'boolean', default: false, describe: 'Return once callers have let go' },
          timeout: { ...text, default: '5m', describe: 'The longest to wait; then exit 1' },
          ...connectionFlags,
        }),
      (flags) => {
        if (!target(flags)) return;
        const { service: name, reason, for: span, until, shutdown, wait, timeout } = flags;
        const what = { service: name, reason, for: span, until, shutdown, wait, timeout };
        act({ kind: 'drain', ...what, ...connection(flags) });
      },
    )
    .command(
      'undrain [service]',
      'Take a drain back',
      (y: Argv) => y.positional('service', service).options({ ...allOption, ...connectionFlags }),
      (flags) => {
        if (target(flags)) act({ kind: 'undrain', service: flags.service, ...connection(flags) });
      },
    )
    .command(
      'weight <service> [weight]',
      "Show a service's weight, or set it at run time",
      (y: Argv) =>
        y
          .positional('service', { ...service, demandOption: true })
          .positional('weight', { type: 'string', describe: '0 to 256; 0 takes no new traffic' })
          .options({
            clear: { type: 'boolean', default: false, describe: 'Back to the configured weight' },
            ...connectionFlags,
          }),
      (flags) => {
        const { weight, clear } = flags;
        if (weight !== undefined && clear) {
          bad('give either a weight or --clear');
          return;
        }
        if (weight !== undefined && !(/^\d{1,3}$/.test(weight) && Number(weight) <= 256)) {
          bad(`a weight is a whole number from 0 to 256, not ${weight}`);
          return;
        }
        const change = clear ? 'clear' : weight === undefined ? undefined : Number(weight);
        act({ kind: 'weight', service: flags.service, change, ...connection(flags) });
      },
    )
    .command(
      'probe <service>',
      "Run a service's checks once, as the configuration has them; needs no running agent",
      (y: Argv) =>
        y
          .positional('service', { ...service, demandOption: true })
          .options({ ...fileOptions, ...outputOption }),
      (flags) => {
        const found = toCommand({ file: flags.config, instanceId: flags.instance_id }, env);
        if (found.kind !== 'run' && found.kind !== 'check') return void (command = found);
        const { file, instanceId } = found;
        act({ kind: 'probe', service: flags.service, file, instanceId, output: tableOrJson(flags.output) });
      },
    )
    .command(
      'lint',
      'Say what in the configuration does not do what it seems to, with its place and the way out',
      (y: Argv) =>
        y.options({
          ...fileOptions,
          ...outputOption,
          strict: { type: 'boolean', default: false, describe: 'Exit with 1 for warnings, too' },
        }),
      ({ strict, output, ...flags }) => {
        const found = toCommand({ file: flags.config, instanceId: flags.instance_id }, env);
        if (found.kind !== 'run' && found.kind !== 'check') return void (command = found);
        const { file, instanceId } = found;
        act({ kind: 'lint', file, instanceId, strict, output: tableOrJson(output) });
      },
    )
    .command(
      'init',
      'Write a commented first configuration, from what listens on this host',
      (y: Argv) =>
        y.options({
          output: {
            ...text,
            alias: 'o',
            default: '-',
            describe: 'The file to make, which must not exist; - prints it',
          },
        }),
      ({ output }) => {
        if (output === '') bad('--output: expected the name of a file');
        else act({ kind: 'init', file: output === '-' ? undefined : output });
      },
    )
    .epilogue(exitCodes)
    .parserConfiguration({ 'duplicate-arguments-array': false, 'camel-case-expansion': false })
    .exitProcess(false)
    .showHelpOnFail(false)
    .strict()
    .fail((message: string, error: unknown) => {
      throw error instanceof Error ? error : new UsageError(message);
    });
  try {
    let printed = '';
    const flags = parser.parse([...args], {}, (_error: unknown, _flags: unknown, output: string) => {
      printed = output;
    }) as { readonly help?: unknown; readonly version?: unknown };
    if (flags.help === true) return { kind: 'help', text: printed };
    if (flags.version === true) return { kind: 'version', text: version };
    return command ?? { kind: 'usage', text: 'nothing to do' };
  } catch (error) {
    if (error instanceof Error) return { kind: 'usage', text: error.message };
    throw error;
  }
}

class UsageError extends Error {}

function tableOrJson(output: string): 'table' | 'json' {
  return output === 'json' ? 'json' : 'table';
}

function connection(flags: {
  readonly address?: string | undefined;
  readonly 'token-file'?: string | undefined;
  readonly output: string;
}) {
  return { address: flags.address, tokenFile: flags['token-file'], output: tableOrJson(flags.output) };
}
