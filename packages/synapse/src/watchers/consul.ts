import { readFile } from 'node:fs/promises';

import { Backoff, describeError, within } from '@smartstack/agent';
import { CredentialReader, hostAndPort, tlsSettings } from '@smartstack/registry';
import * as z from 'zod';

import type { Snapshot } from '../catalog/types.js';
import { discoveryBase, oneOrMore } from '../config/fields.js';
import { nextPosition } from './consul/blocking.js';
import { readHealth } from './consul/health.js';
import { type JsonAnswer, JsonClient } from './http/jsonClient.js';
import { Repeater } from './source/repeater.js';
import { SourceState } from './source/sourceState.js';
import { defineWatcher, type WatcherContext } from './types.js';

/** An answer that is not waited for takes no longer, and one that is so much longer than was asked, in milliseconds. */
const timeoutMs = 10_000;
const defaultWait = 60;

const options = () =>
  z.object({
    method: z.literal('consul'),
    hosts: oneOrMore(hostAndPort)
      .prefault('127.0.0.1:8500')
      .describe('Agents of Consul, each host:port; the first that answers is used.'),
    service: z
      .string()
      .min(1)
      .nullish()
      .describe("What Consul calls the service; default: the service's own name."),
    tags: z.array(z.string().min(1)).nullish().describe('Only instances that have all of these tags.'),
    datacenter: z.string().min(1).nullish().describe("Another datacenter than the agent's own."),
    token: z.string().min(1).nullish().describe('The token to show. Prefer token_file.'),
    token_file: z
      .string()
      .startsWith('/', 'expected an absolute path')
      .nullish()
      .describe('A file that holds the token; read for each question.'),
    wait: z
      .number()
      .min(1)
      .max(600)
      .nullish()
      .meta({ default: defaultWait })
      .describe(
        'Seconds for which Consul may hold an answer back while nothing changes. A connection that is silently cut is noticed after that.',
      ),
    tls: tlsSettings().nullish().describe('Connect with TLS.'),
    ...discoveryBase,
  });

type Options = z.output<ReturnType<typeof options>>;

/** Instances of a service in Consul whose checks pass, by blocking queries. */
export const consulWatcher = defineWatcher({
  method: 'consul',
  options,
  create: (given, context) => ({ run: (emit, signal) => new ConsulWatch(given, context, emit).run(signal) }),
});

class ConsulWatch {
  readonly #given: Options;
  readonly #context: WatcherContext;
  readonly #source: string;
  readonly #state: SourceState;
  readonly #client: JsonClient;
  readonly #backoff = new Backoff({ minMs: 200, maxMs: 10_000 });
  #member = 0;
  #index = 0n;

  constructor(given: Options, context: WatcherContext, emit: (snapshot: Snapshot) => void) {
    const { clock, logger, service } = context;
    this.#given = given;
    this.#context = context;
    this.#source = `consul ${given.service ?? service}`;
    this.#state = new SourceState(context, this.#source, emit);
    const credentials = new CredentialReader({ tls: given.tls ?? undefined, clock, logger });
    this.#client = new JsonClient(clock, async (signal) => (await credentials.read(timeoutMs, signal)).tls);
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      await new Repeater(this.#context.clock).run((inner) => this.#look(inner), signal);
    } finally {
      this.#client.close();
    }
  }

  async #look(signal: AbortSignal): Promise<number> {
    const { clock, onEvent } = this.#context;
    const begun = clock.monotonic();
    try {
      const answer = await this.#ask(signal);
      if (signal.aborted) return 0;
      const reading = readHealth(valueOf(answer), this.#source);
      const next = nextPosition(this.#index, answer.headers['x-consul-index'], clock.monotonic() - begun);
      if (next.index !== this.#index) onEvent?.();
      this.#index = next.index;
      this.#backoff.reset();
      this.#state.live(reading);
      return next.pauseMs;
    } catch (error) {
      if (signal.aborted) return 0;
      this.#state.lost(describeError(error));
      // Another one may have another history.
      this.#index = 0n;
      this.#member = (this.#member + 1) % this.#given.hosts.length;
      return this.#backoff.next();
    }
  }

  async #ask(signal: AbortSignal): Promise<JsonAnswer> {
    const { hosts, service, tags, datacenter, wait } = this.#given;
    const waitSeconds = wait ?? defaultWait;
    const query = new URLSearchParams({ passing: '1' });
    if (datacenter != null) query.set('dc', datacenter);
    for (const tag of tags ?? []) query.append('tag', tag);
    if (this.#index > 0n) {
      query.set('index', String(this.#index));
      query.set('wait', `${Math.round(waitSeconds * 1000)}ms`);
    }
    const token = await this.#token(signal);
    return this.#client.get(
      {
        endpoint: hosts[this.#member] ?? '',
        path: `/v1/health/service/${encodeURIComponent(service ?? this.#context.service)}?${query.toString()}`,
        headers: token === undefined ? {} : { 'x-consul-token': token },
        // Consul adds up to a sixteenth, so that not all answers come at once.
        timeoutMs: timeoutMs + (this.#index > 0n ? (waitSeconds * 1000 * 17) / 16 : 0),
      },
      signal,
    );
  }

  async #token(signal: AbortSignal): Promise<string | undefined> {
    const { token, token_file: file } = this.#given;
    if (file == null) return token ?? undefined;
    // A file system may hang.
    const read = await within(readFile(file, 'utf8'), timeoutMs, this.#context.clock, signal);
    const text = (read ?? '').trim();
    // It becomes a header.
    if (!/^[\x21-\x7e]{1,1000}$/.test(text)) throw new Error(`${file}: there is no token in it`);
    return text;
  }
}

/** Throws for an answer that says nothing of the service. */
function valueOf({ status, headers, value }: JsonAnswer): unknown {
  if (status !== 200) throw new Error(`Consul answers ${status}`);
  // What the token may not see is left out without an error: no list of nothing.
  const filtered = headers['x-consul-results-filtered-by-acls'] === 'true';
  if (filtered && Array.isArray(value) && value.length === 0)
    throw new Error('The token may not read the service, or its nodes');
  return value;
}
