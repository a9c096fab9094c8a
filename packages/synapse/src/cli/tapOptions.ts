import { connectionOptions } from '@smartstack/agent/cliOptions';

import { durationMs } from './units.js';

const text = { type: 'string', requiresArg: true } as const;

/** The options of `synapse tap` and `synapse top`. */
export function tapOptions(usual: string) {
  return {
    ...connectionOptions(usual),
    method: { ...text, describe: 'only these methods: GET,POST' },
    path: { ...text, describe: "only paths that begin so; with a '*' (anything), the whole path" },
    status: { ...text, describe: 'only these statuses: 404,5xx' },
    'min-latency': { ...text, describe: 'only those that took so long at least: 50ms, 1s' },
    source: { ...text, describe: 'only of this client: an address, or a network such as 10.0.0.0/8' },
    server: { ...text, describe: "only of servers whose name begins so; with a '*' the whole name" },
    'max-rps': { ...text, describe: 'as many a second at most; the others are counted' },
    sample: { ...text, describe: 'so many percent of the requests: 0.1 to 100' },
    for: { ...text, describe: 'end after so long: 30s, 5m; an hour at most' },
  } as const;
}

/** What the flags of a tap may be. */
type TapFlags = Readonly<Record<string, unknown>>;

const lists = ['method', 'status'] as const;
const texts = ['path', 'source', 'server'] as const;
const numbers = ['max-rps', 'sample', 'limit'] as const;
const durations = ['min-latency', 'for'] as const;

/** The path that asks the agent for what the flags mean, or a problem with them, for people. */
export function tapPath(
  service: string | undefined,
  flags: TapFlags,
  usual: { readonly maxRps: number; readonly forMs?: number },
): { readonly path: string } | { readonly problem: string } {
  const query = new URLSearchParams();
  const given = (name: string): string | undefined => {
    const value = flags[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  if (service !== undefined) query.set('service', service);
  for (const name of lists) for (const one of given(name)?.split(',') ?? []) query.append(name, one.trim());
  for (const name of texts) {
    const value = given(name);
    if (value !== undefined) query.set(name, value);
  }
  for (const name of numbers) {
    const value = given(name);
    if (value === undefined) continue;
    if (!/^\d{1,7}(\.\d{1,3})?$/.test(value) || Number(value) === 0)
      return { problem: `--${name}: expected a number above 0` };
    query.set(name.replace('-', '_'), value);
  }
  for (const name of durations) {
    const value = given(name);
    if (value === undefined) continue;
    const ms = durationMs(value);
    if (ms === undefined) return { problem: `--${name}: expected a duration such as 50ms, 30s or 5m` };
    query.set(name.replace('-', '_'), String(ms / 1000));
  }
  if (!query.has('max_rps')) query.set('max_rps', String(usual.maxRps));
  if (!query.has('for') && usual.forMs !== undefined) query.set('for', String(usual.forMs / 1000));
  return { path: `/v1/tap?${query.toString()}` };
}
