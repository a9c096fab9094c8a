import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '@smartstack/agent';
import { type Drain, isEmpty, type Order, type WeightOrder } from './order.js';
import { hostKey, type OrderKey, orderKey, serviceOf } from './spool.js';

/** What applies to one service. */
export interface OrdersOfService {
  /** Its own, before the host's. */
  readonly drain: Drain | undefined;
  readonly scope: 'service' | 'host';
  readonly weight: WeightOrder | undefined;
  /** There may be others in the spool, which could not be read so far. */
  readonly isUnread?: true;
}

/** Where a change comes from: nowhere in particular, or from whom. */
export interface Origin {
  readonly from?: 'file' | 'expiry';
  readonly by?: string;
}

const nothing: OrdersOfService = { drain: undefined, scope: 'service', weight: undefined };

/** The orders that are in force, and who wants to hear of their changes. */
export class OrderBook {
  readonly #logger: Logger;
  readonly #orders = new Map<OrderKey, Order>();
  /** Counts the changes of each key, so that a reading that began before one does not undo it. */
  readonly #changes = new Map<OrderKey, number>();
  readonly #listeners = new Set<() => void>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The host's drain, if there is one. */
  get host(): Drain | undefined {
    return this.#orders.get(hostKey)?.drain;
  }

  /** All that is in force, as it is now. */
  get entries(): readonly (readonly [OrderKey, Order])[] {
    return [...this.#orders];
  }

  /** A key's orders; without any, an empty one. */
  get(key: OrderKey): Order {
    return this.#orders.get(key) ?? {};
  }

  /** What applies to a service, whether it is configured or not. */
  of(service: string, ignoresHost: boolean): OrdersOfService {
    if (this.#orders.size === 0) return nothing;
    const own = this.#orders.get(orderKey(service));
    const host = ignoresHost ? undefined : this.host;
    return {
      drain: own?.drain ?? host,
      scope: own?.drain || !host ? 'service' : 'host',
      weight: own?.weight,
    };
  }

  /** How often the orders of each key have changed so far. */
  get changes(): ReadonlyMap<OrderKey, number> {
    return new Map(this.#changes);
  }

  /** How often a key's orders have changed. */
  changesOf(key: OrderKey): number {
    return this.#changes.get(key) ?? 0;
  }

  /** Calls `listener` after any change. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Has everybody look again. */
  notify(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Puts a key's orders into force, and says so. False: they were the same. */
  set(key: OrderKey, order: Order, origin: Origin): boolean {
    const before = this.get(key);
    if (isDeepStrictEqual(before, order)) return false;
    if (isEmpty(order)) this.#orders.delete(key);
    else this.#orders.set(key, order);
    this.#changes.set(key, this.changesOf(key) + 1);
    this.#log(key, before, order, origin);
    return true;
  }

  #log(key: OrderKey, before: Order, after: Order, { from, by: whose }: Origin): void {
    const service = serviceOf(key);
    const fields = {
      ...(service === undefined ? { scope: 'host' } : { service }),
      ...(from === undefined ? {} : { from }),
    };
    const logger = this.#logger;
    if (!isDeepStrictEqual(before.drain, after.drain)) {
      const { reason, by, until } = after.drain ?? {};
      const more = { reason, by, ...(until === undefined ? {} : { until: new Date(until).toISOString() }) };
      if (after.drain) logger.warn('drain ordered', { ...fields, ...more });
      else logger.warn('drain over', { ...fields, ...(whose === undefined ? {} : { by: whose }) });
    }
    if (!isDeepStrictEqual(before.weight, after.weight)) {
      const { value, by } = after.weight ?? {};
      if (after.weight) logger.info('weight ordered', { ...fields, weight: value, by });
      else logger.info('weight is the configured one again', fields);
    }
  }
}
