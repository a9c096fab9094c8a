import type { Clock } from '@smartstack/agent';
import type { ServiceStatus } from './service.js';
import type { Services } from './services.js';
import { type Drain, lastMoment, type Order } from './orders/order.js';
import type { Orders } from './orders/orders.js';
import { hostKey, type OrderKey, orderKey } from './orders/spool.js';

/** One service, or the host: all services of now and later, but those with `exclude_from_drain_all`. */
export type Target = 'all' | { readonly service: string };

/** Why, by whom and until when something is drained. */
export interface DrainRequest {
  readonly reason?: string;
  readonly by?: string;
  /** Wall clock milliseconds; it ends by itself then. */
  readonly until?: number;
  /** Run the shutdown command once callers have let go. Not remembered over a restart of the agent. */
  readonly shutdown?: boolean;
}

/** What came of a request. */
export type ControlResult =
  | {
      readonly kind: 'done';
      /** Whom it concerns. */
      readonly services: readonly string[];
      /** Those of them that stay drained: by an order of the host, or of their own. */
      readonly stillDrained: readonly string[];
      /** False: it holds now, and a restart of the agent forgets it. */
      readonly saved: boolean;
    }
  | { readonly kind: 'unknown service'; readonly service: string }
  /** The request makes no sense, or not for this service as it is configured. */
  | { readonly kind: 'invalid' | 'impossible'; readonly problem: string };

/** What operators may do with services at run time. All of it takes effect before a call returns its promise. */
export class Control {
  readonly #services: Services;
  readonly #orders: Orders;
  readonly #clock: Clock;

  constructor(services: Services, orders: Orders, clock: Clock) {
    this.#services = services;
    this.#orders = orders;
    this.#clock = clock;
  }

  /** The host's drain, if there is one. */
  get hostDrain(): Drain | undefined {
    return this.#orders.host;
  }

  /** True after the start while nobody knows what is drained: then nothing is registered. Not for long. */
  get isUnread(): boolean {
    return this.#orders.isUnread;
  }

  /** Whether this drain is over for whoever calls the service: they have let go, or had their time. */
  isLeft(service: string): boolean {
    return this.#services.find(service)?.presence.status.drain?.phase === 'left';
  }

  /** Withdraws until `undrain` or the time given; the checks go on. Replaces an earlier drain of the target. */
  async drain(target: Target, request: DrainRequest): Promise<ControlResult> {
    const problem = this.#problem(target, request);
    if (problem) return problem;
    const { until } = request;
    const reason = plain(request.reason);
    const by = plain(request.by);
    const drain: Drain = {
      ...(reason === undefined ? {} : { reason }),
      ...(by === undefined ? {} : { by }),
      since: this.#clock.now(),
      ...(until === undefined ? {} : { until }),
    };
    const saved = this.#orders.change(keyOf(target), (before) => ({
      ...before,
      // A drain that is made longer, or explained, goes on.
      drain: { ...drain, since: before.drain?.since ?? drain.since },
    }));
    if (request.shutdown) {
      for (const { service, drain: present } of this.#statuses(target))
        if (present) this.#services.find(service)?.presence.shutDown();
    }
    return this.#done(target, saved);
  }

  /** Ends the target's own drain. A service's own outlasts the host's, and the other way round. */
  async undrain(target: Target, request: { readonly by?: string } = {}): Promise<ControlResult> {
    const problem = this.#problem(target);
    if (problem) return problem;
    return this.#done(
      target,
      this.#orders.change(keyOf(target), ({ weight }) => (weight ? { weight } : {}), plain(request.by)),
    );
  }

  /** Sets a weight, 0 to 256, in place of the configured one, until `clearWeight`; of all, each that runs now. */
  async setWeight(
    target: Target,
    value: number,
    request: { readonly by?: string } = {},
  ): Promise<ControlResult> {
    const problem = this.#problem(target);
    if (problem) return problem;
    if (!Number.isInteger(value) || value < 0 || value > 256)
      return { kind: 'invalid', problem: 'a weight is a whole number from 0 to 256' };
    const by = plain(request.by);
    const weight = { value, ...(by === undefined ? {} : { by }), since: this.#clock.now() };
    const concerned =
      target === 'all' ? this.#services.definitions.map(({ name }) => name) : [target.service];
    const saved = concerned.map((service) =>
      this.#orders.change(orderKey(service), (before) => ({ ...before, weight })),
    );
    return this.#done(
      target,
      Promise.all(saved).then((all) => all.every(Boolean)),
      concerned,
    );
  }

  /** Back to the configured weight. */
  async clearWeight(service: string): Promise<ControlResult> {
    const problem = this.#problem({ service });
    if (problem) return problem;
    const without = ({ drain }: Order): Order => (drain ? { drain } : {});
    return this.#done({ service }, this.#orders.change(orderKey(service), without));
  }

  #problem(target: Target, { until, shutdown }: DrainRequest = {}): ControlResult | undefined {
    if (target !== 'all') {
      const { service } = target;
      const found = this.#services.find(service);
      if (!found) return { kind: 'unknown service', service };
      if (shutdown && found.definition.lifecycle.drain.shutdown === undefined)
        return { kind: 'impossible', problem: `shutdown: ${service} has no drain.shutdown_command` };
    }
    if (until !== undefined && !(until > this.#clock.now() && until <= lastMoment))
      return { kind: 'invalid', problem: 'until: is not in the future' };
    return undefined;
  }

  async #done(
    target: Target,
    saving: Promise<boolean>,
    services?: readonly string[],
  ): Promise<ControlResult> {
    const all = services && new Set(services);
    const concerned = all
      ? this.#services.status.filter(({ service }) => all.has(service))
      : this.#statuses(target);
    return {
      kind: 'done',
      services: concerned.map(({ service }) => service),
      stillDrained: concerned.filter(({ drain }) => drain !== undefined).map(({ service }) => service),
      saved: await saving,
    };
  }

  #statuses(target: Target): readonly ServiceStatus[] {
    return this.#services.status.filter(({ service }) => {
      if (target !== 'all') return service === target.service;
      return this.#services.find(service)?.definition.lifecycle.ignoresHostDrain === false;
    });
  }
}

function keyOf(target: Target): OrderKey {
  return target === 'all' ? hostKey : orderKey(target.service);
}

/** Text of others, for files and logs. */
function plain(text: string | undefined): string | undefined {
  const line = text
    ?.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim()
    .slice(0, 500);
  return line === '' ? undefined : line;
}
