import { connectionOptions } from '@smartstack/agent/cliOptions';
import { durationMs } from './units.js';

const flag = { type: 'boolean', default: false } as const;

/** The options of `synapse check`. */
export function checkupOptions(usual: string) {
  const options = connectionOptions(usual);
  return {
    ...options,
    output: {
      ...options.output,
      choices: ['table', 'short', 'json'],
      describe: 'For people, only what is not well, or for programs',
    },
    pre: { ...flag, describe: 'before the agent is started: what can be told without it' },
    write: {
      ...flag,
      describe: 'create and delete a znode beside the services, which tells the clocks, too',
    },
    wait: {
      type: 'string',
      requiresArg: true,
      describe: 'look again until nothing fails, so long at most: 30s, 5m',
      defaultDescription: 'once',
    },
  } as const;
}

/** For how long to look, in milliseconds, or what is wrong with it. */
export function waitOf(wait: string | undefined): number | string {
  if (wait === undefined) return 0;
  return durationMs(wait) ?? '--wait: expected a duration such as 30s or 5m';
}
