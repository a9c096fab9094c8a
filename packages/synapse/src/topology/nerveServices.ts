import type { AdminAddress, Clock } from '@smartstack/agent';
import { ApiClient, ApiError } from '@smartstack/agent/apiClient';
import * as z from 'zod';
import type { HostedService } from './types.js';

/** Where nerve listens unless it was told otherwise. */
export const usualNerve: readonly AdminAddress[] = [
  { socket: '/run/nerve/nerve.sock' },
  { host: '127.0.0.1', port: 3454 },
];

/** What changes is known after so long, in milliseconds. */
const freshMs = 60_000;
/** A nerve that is silent for so long is taken to be gone. */
const goneMs = 900_000;
const timeoutMs = 2_000;
const maxServices = 1_000;

const answer = z.object({
  services: z.array(
    z.object({ service: z.string().max(256), instance: z.object({ port: z.int().min(0).max(65_535) }) }),
  ),
});

/** The services that the nerve of this host registers. That there is none is nothing unusual. */
export class NerveServices {
  readonly #client: ApiClient | undefined;
  readonly #clock: Clock;
  #known: readonly HostedService[] = [];
  #askedAt = -Infinity;
  #heardAt = -Infinity;

  /** No addresses: nobody is asked. */
  constructor(addresses: readonly AdminAddress[], clock: Clock) {
    this.#clock = clock;
    this.#client = addresses.length === 0 ? undefined : new ApiClient({ addresses, clock, timeoutMs });
  }

  /** Asked at most once a minute, once it has answered. Never rejects: what was known last holds while nerve does not answer. */
  async current(): Promise<readonly HostedService[]> {
    const now = this.#clock.monotonic();
    // At boot it may come a little later than we do.
    const waitMs = this.#heardAt === -Infinity ? 0 : freshMs;
    if (this.#client === undefined || now - this.#askedAt < waitMs) return this.#known;
    this.#askedAt = now;
    try {
      const { data } = answer.safeParse(await this.#client.call('GET', '/v1/services'));
      if (data !== undefined) {
        this.#heardAt = now;
        this.#known = data.services
          .slice(0, maxServices)
          .map(({ service, instance }) => ({ name: service, port: instance.port }));
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
    // It may be stopped for an upgrade: then its services run on.
    if (now - this.#heardAt > goneMs) this.#known = [];
    return this.#known;
  }
}
