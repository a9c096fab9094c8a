import yargs from 'yargs';
import { type Command, type Environment, toCommand } from './command.js';

/** Reads the arguments (without the program's own name). Flags go before the environment. */
export function parseCommandLine(args: readonly string[], env: Environment, version: string): Command {
  const parser = yargs()
    .scriptName('nerve')
    .help(false)
    .version(false)
    .usage('Usage: $0 --config /path/to/nerve.yaml\n\nChecks local services and registers the healthy ones.')
    .option('config', {
      alias: 'c',
      type: 'string',
      requiresArg: true,
      describe: 'The main file (or NERVE_CONFIG)',
    })
    .option('instance_id', {
      alias: ['i', 'instance-id'],
      type: 'string',
      requiresArg: true,
      describe: 'Names this host in the registry, instead of the file (or NERVE_INSTANCE_ID)',
    })
    .option('check-config', {
      alias: 'k',
      type: 'boolean',
      describe: 'Only say whether the configuration is valid: exit 0 or 1 (or NERVE_CHECK_CONFIG, any value)',
    })
    .option('help', { alias: 'h', type: 'boolean', describe: 'Show this' })
    .option('version', { type: 'boolean', describe: 'Show the version' })
    .parserConfiguration({ 'duplicate-arguments-array': false, 'camel-case-expansion': false })
    .exitProcess(false)
    .showHelpOnFail(false)
    .strict()
    .fail((message: string, error: unknown) => {
      throw error instanceof Error ? error : new UsageError(message);
    });
  try {
    const flags = parser.parseSync([...args]);
    if (flags.help) return { kind: 'help', text: plainHelp(parser) };
    if (flags.version) return { kind: 'version', text: version };
    return toCommand(
      { file: flags.config, instanceId: flags.instance_id, check: flags['check-config'] },
      env,
    );
  } catch (error) {
    if (error instanceof Error) return { kind: 'usage', text: error.message };
    throw error;
  }
}

class UsageError extends Error {}

function plainHelp(parser: { showHelp(callback: (text: string) => void): unknown }): string {
  let text = '';
  parser.showHelp((help) => (text = help));
  return text;
}
