import { connectionOptions } from '@smartstack/agent/cliOptions';

import type { StatSpan } from './invocation.js';
import { durationMs } from './units.js';

const text = { type: 'string', requiresArg: true } as const;

/** How the agent is reached, and three forms of what it says. */
export function wideOptions(usual: string) {
  const options = connectionOptions(usual);
  return {
    ...options,
    output: {
      ...options.output,
      choices: ['table', 'json', 'wide'],
      describe: 'For people, for programs, or for people with a wide screen',
    },
  } as const;
}

/** The options of `synapse stat`. */
export function statOptions(usual: string) {
  return {
    ...wideOptions(usual),
    time: { ...text, alias: 't', describe: 'how long a span: 30s, 5m, 1h at most', defaultDescription: '1m' },
    from: { ...text, describe: 'how long ago it begins, in place of --time' },
    to: { ...text, describe: 'how long ago it ends', defaultDescription: 'now' },
    'all-hosts': {
      type: 'boolean',
      default: false,
      describe: 'of all hosts of the fleet that tell their numbers, over the last minute',
    },
  } as const;
}

const hourMs = 3_600_000;

/** The span that the flags mean, or what is wrong with them. */
export function spanOf(flags: {
  readonly time?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly 'all-hosts'?: boolean | undefined;
}): StatSpan | string {
  const [time, from, to] = (['time', 'from', 'to'] as const).map((name) => {
    const given = flags[name];
    return given === undefined ? undefined : (durationMs(given) ?? Number.NaN);
  });
  for (const [name, value] of Object.entries({ time, from, to }))
    if (Number.isNaN(value)) return `--${name}: expected a duration such as 30s, 5m or 1h`;
  if (flags['all-hosts'] === true && (time ?? from ?? to) !== undefined)
    return '--all-hosts is of the last minute, without --time, --from or --to';
  if (time !== undefined && from !== undefined) return '--time and --from exclude each other';
  const toMs = to ?? 0;
  const fromMs = from ?? toMs + (time ?? 60_000);
  if (fromMs <= toMs) return 'the span must begin before it ends: --from is how long ago, --to, too';
  if (fromMs > hourMs) return 'there is an hour at most';
  return { fromMs, toMs };
}
