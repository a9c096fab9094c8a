import yargs from 'yargs';

import { version } from '../version.js';
import { filesOf, type Invocation, toRun } from './invocation.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** Understands the command line. Never ends the process, and prints nothing. */
export function parseArguments(argv: readonly string[], env: Environment): Invocation {
  let failure: string | undefined;
  let output = '';
  const parser = yargs([...argv])
    .scriptName('synapse')
    .usage('$0 -c FILE\n\nKeeps the local HAProxy in step with the services in the registry.')
    .command('$0', 'run the agent')
    .command('render', 'print what the generators would write, and exit', (command) =>
      command
        .option('generator', {
          type: 'string',
          requiresArg: true,
          describe: 'only this one: haproxy, file_output … (default: each that is configured)',
        })
        .option('catalog', {
          type: 'string',
          requiresArg: true,
          describe: 'YAML or JSON file with the instances of each service (default: none discovered)',
        }),
    )
    .option('config', {
      alias: 'c',
      type: 'string',
      requiresArg: true,
      describe: 'configuration file (SYNAPSE_CONFIG)',
    })
    .option('agent-config', {
      type: 'string',
      requiresArg: true,
      describe:
        "the agent's own settings (SYNAPSE_AGENT_CONFIG; default: agent.yaml beside the configuration)",
    })
    .option('check-config', {
      alias: 'k',
      type: 'boolean',
      describe: 'check the configuration, and exit with 0 or 1',
    })
    .help('help')
    .alias('help', 'h')
    .version(version)
    .parserConfiguration({ 'duplicate-arguments-array': false })
    .strict()
    .exitProcess(false)
    .fail((message, error) => {
      // Typed as always given, but it is null when the command line is at fault.
      failure = message || (error as Error | undefined)?.message || 'unusable arguments';
    });
  const parsed = parser.parseSync([...argv], {}, (_error: unknown, _argv: unknown, text: string) => {
    output = text;
  });
  if (parsed.help === true || parsed.version === true) return { kind: 'text', text: output };
  if (failure !== undefined) return { kind: 'usage', message: failure };
  const files = filesOf(
    { config: nonEmpty(parsed.config), agentConfig: nonEmpty(parsed['agent-config']) },
    env,
  );
  if (files === undefined)
    return { kind: 'usage', message: 'name the configuration with -c or SYNAPSE_CONFIG' };
  if (parsed['check-config'] === true) return { kind: 'check', files };
  if (parsed._[0] === 'render')
    return {
      kind: 'render',
      files,
      catalogFile: nonEmpty((parsed as { catalog?: unknown }).catalog),
      generator: nonEmpty((parsed as { generator?: unknown }).generator),
    };
  return toRun(files, env);
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
