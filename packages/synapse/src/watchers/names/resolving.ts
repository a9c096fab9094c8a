import { type Clock, describeError, within } from '@smartstack/agent';
import { isIP } from 'node:net';
import * as z from 'zod';

import { oneOrMore } from '../../config/fields.js';
import type { OpenNameServer } from './nameServer.js';
import { type NamedServer, Resolution, type Resolved } from './resolution.js';

/** What is asked too often is refused by many name servers; what fails is tried again after so long. In milliseconds. */
const floorMs = 5_000;
const minMs = 1_000;
/** All names together take no longer, in milliseconds. */
const limitMs = 30_000;

const defaultIntervalSeconds = 30;

const nameserver = () =>
  z.string().refine((text) => {
    const [, bracketed, inBrackets] = /^\[(.+)\](?::\d{1,5})?$/.exec(text) ?? [];
    const [, withPort] = /^([\d.]+):\d{1,5}$/.exec(text) ?? [];
    return isIP(bracketed ?? inBrackets ?? withPort ?? text) !== 0;
  }, 'expected an IP address, with or without a port');

/** Keys of watchers that resolve names. */
export const resolvingKeys = () => ({
  check_interval: z
    .number()
    .min(0)
    .nullish()
    .describe('Seconds between two look-ups of names; sooner where their time to live ends sooner.')
    .meta({ default: defaultIntervalSeconds }),
  nameserver: oneOrMore(nameserver())
    .nullish()
    .describe('Name servers to ask, as addresses; default: those of /etc/resolv.conf.'),
});

/** The values of these keys. */
export interface ResolvingOptions {
  readonly check_interval?: number | null | undefined;
  readonly nameserver?: readonly string[] | null | undefined;
}

/** A resolution, and when to do it again. */
export interface Look extends Resolved {
  readonly nextMs: number;
}

/** Resolves the names of servers, as often as their configuration and their answers say. */
export class Resolving {
  readonly #options: ResolvingOptions;
  readonly #clock: Clock;
  readonly #open: OpenNameServer;
  readonly #resolution = new Resolution();

  constructor(options: ResolvingOptions, clock: Clock, open: OpenNameServer) {
    this.#options = options;
    this.#clock = clock;
    this.#open = open;
  }

  /** Resolves within half a minute, whatever name servers do. Rejects when `signal` aborts. */
  async look(servers: readonly NamedServer[], signal: AbortSignal): Promise<Look> {
    const intervalMs = Math.max((this.#options.check_interval ?? defaultIntervalSeconds) * 1000, minMs);
    const retryMs = Math.min(intervalMs, floorMs);
    let names;
    try {
      names = await this.#open(this.#options.nameserver ?? undefined);
    } catch (error) {
      return { ...nothing, failures: [describeError(error)], nextMs: retryMs };
    }
    const close = (): void => names.close();
    signal.addEventListener('abort', close);
    try {
      const work = this.#resolution.resolve(servers, names);
      const soon = await within(work, limitMs, this.#clock, signal);
      // What is closed rejects, so that the rest comes at once.
      if (soon === undefined) names.close();
      const resolved = soon ?? (await work);
      signal.throwIfAborted();
      const ttlMs = resolved.ttl === undefined ? intervalMs : resolved.ttl * 1000;
      const nextMs = resolved.failures.length > 0 ? retryMs : Math.min(intervalMs, Math.max(ttlMs, floorMs));
      return { ...resolved, nextMs };
    } finally {
      signal.removeEventListener('abort', close);
      names.close();
    }
  }
}

const nothing: Resolved = { instances: [], problems: [], failures: [], complete: false, ttl: undefined };

/** The names that no server answers for, in a line; undefined when there are none. */
export function failureOf({ failures }: Resolved): string | undefined {
  const [first, ...others] = failures;
  if (first === undefined) return undefined;
  return others.length === 0 ? first : `${first} (and ${others.length} more)`;
}
