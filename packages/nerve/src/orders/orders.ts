import {
  type Clock,
  describeError,
  type Logger,
  run,
  untilAborted,
  watchFiles,
  within,
} from '@smartstack/agent';
import { isDeepStrictEqual } from 'node:util';
import { type Drain, isEmpty, type Order, pruned, type WeightOrder } from './order.js';
import { logChange, type Origin } from './orderLog.js';
import { hostKey, type OrderKey, orderKey, type Spool } from './spool.js';

/** How often to look whether something has expired or still has to be written, in milliseconds. */
const tickMs = 1_000;
/** A file this young may still be in the middle of being written, in milliseconds. */
const freshMs = 2_000;
/** A file that is emptied and then written is empty for no longer, in milliseconds. */
const bareMs = 500;
/** A disk that takes longer is not waited for, in milliseconds. */
const patienceMs = 2_000;

/** What orders need. */
export interface OrdersDeps {
  /** Where they survive a restart; undefined: nowhere. */
  readonly spool: Spool | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What applies to one service. */
export interface OrdersOfService {
  /** Its own, before the host's. */
  readonly drain: Drain | undefined;
  readonly scope: 'service' | 'host';
  readonly weight: WeightOrder | undefined;
}

const nothing: OrdersOfService = { drain: undefined, scope: 'service', weight: undefined };

/**
 * What operators want of services until they take it back: in memory, and in a spool that survives a restart and
 * that people and scripts may change by hand. The memory goes before a file that could not be written.
 */
export class Orders {
  readonly #deps: OrdersDeps;
  readonly #spool: Spool | undefined;
  readonly #orders = new Map<OrderKey, Order>();
  /** Changed, and not in the spool yet. */
  readonly #unsaved = new Set<OrderKey>();
  /** Counts the changes of each key, so that a reading that began before one does not undo it. */
  readonly #changes = new Map<OrderKey, number>();
  readonly #listeners = new Set<() => void>();
  /** One thing at a time happens to the spool. */
  #queue: Promise<unknown> = Promise.resolve();
  /** The spool cannot be used now, and that was said. */
  #failing = false;
  #again = false;
  /** How much was given to the spool and is not done yet. */
  #waiting = 0;
  /** Keys whose file cannot be read, which was said. */
  readonly #unreadable = new Set<OrderKey>();

  constructor(deps: OrdersDeps) {
    this.#deps = deps;
    this.#spool = deps.spool;
  }

  /** The host's drain, if there is one. */
  get host(): Drain | undefined {
    return this.#orders.get(hostKey)?.drain;
  }

  /** What applies to a service, whether it is configured or not. */
  of(service: string, ignoresHost = false): OrdersOfService {
    if (this.#orders.size === 0) return nothing;
    const own = this.#orders.get(orderKey(service));
    const host = ignoresHost ? undefined : this.host;
    return {
      drain: own?.drain ?? host,
      scope: own?.drain || !host ? 'service' : 'host',
      weight: own?.weight,
    };
  }

  /** Calls `listener` after any change. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Reads the spool. Never rejects: without one, orders are kept in memory only, which is said once. */
  async load(): Promise<void> {
    if (this.#spool === undefined) return;
    const read = this.#enqueue(async (spool) => {
      await spool.prepare().catch((error: unknown) => this.#failed(error));
      await this.#read(spool);
    });
    const done = await within(
      read.then(() => true),
      patienceMs,
      this.#deps.clock,
    );
    if (done === undefined) this.#failed('the file system does not answer');
  }

  /** Follows changes by hand and what expires, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await run([(both) => this.#tick(both), (both) => this.#watch(both)], signal);
  }

  /**
   * Changes one key's orders at once. Resolves when they are in the spool (true), or are known not to be (false):
   * then they do not survive a restart yet, and writing is tried again.
   */
  async change(key: OrderKey, next: (before: Order) => Order, by?: string): Promise<boolean> {
    this.#set(key, next(this.#orders.get(key) ?? {}), by === undefined ? {} : { by });
    if (this.#spool === undefined) return false;
    const saved = this.#save(key);
    return (await within(saved, patienceMs, this.#deps.clock)) ?? false;
  }

  #set(key: OrderKey, order: Order, origin: Origin): void {
    const before = this.#orders.get(key) ?? {};
    if (isDeepStrictEqual(before, order)) return;
    if (isEmpty(order)) this.#orders.delete(key);
    else this.#orders.set(key, order);
    this.#changes.set(key, (this.#changes.get(key) ?? 0) + 1);
    logChange(this.#deps.logger, key, [before, order], origin);
    if (origin.from !== 'file') this.#unsaved.add(key);
    for (const listener of this.#listeners) listener();
  }

  #save(key: OrderKey): Promise<boolean> {
    return this.#enqueue(async (spool) => {
      if (!this.#unsaved.has(key)) return true;
      const change = this.#changes.get(key);
      try {
        await spool.write(key, this.#orders.get(key) ?? {});
      } catch (error) {
        this.#failed(error);
        return false;
      }
      this.#failing = false;
      if (this.#changes.get(key) === change) this.#unsaved.delete(key);
      return true;
    });
  }

  async #tick(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    for (let round = 1; ; round += 1) {
      await clock.sleep(tickMs, signal);
      this.#prune();
      if (this.#spool === undefined) continue;
      // While the disk hangs, what waits for it must not grow.
      if (this.#waiting > 0) continue;
      const due = round % 2 === 0 ? [...this.#unsaved] : [];
      if (due.length > 0) {
        // Whoever removed the directory did not mean the orders.
        await within(
          this.#enqueue((spool) => spool.prepare().catch(() => undefined)),
          patienceMs,
          clock,
          signal,
        );
        for (const key of due) await within(this.#save(key), patienceMs, clock, signal);
      }
      if (this.#again)
        await within(
          this.#enqueue((spool) => this.#read(spool)),
          patienceMs,
          clock,
          signal,
        );
    }
  }

  #prune(): void {
    const now = this.#deps.clock.now();
    for (const [key, order] of this.#orders) {
      const rest = pruned(order, now);
      if (rest === order) continue;
      this.#set(key, rest, { from: 'expiry' });
      if (this.#spool) this.#save(key).catch(() => undefined);
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const spool = this.#spool;
    if (spool === undefined) {
      await untilAborted(signal);
      return;
    }
    const { clock, logger } = this.#deps;
    const read = async (both: AbortSignal): Promise<void> => {
      const reading = this.#enqueue(() => this.#read(spool));
      await within(reading, patienceMs, clock, both);
    };
    // A disk that hangs must not keep the agent from stopping.
    const watching = watchFiles({ paths: [spool.directory], clock, logger, onChange: read });
    const watch = await Promise.race([watching, untilAborted(signal)]);
    if (!watch) return;
    // Whatever changed before this watch began.
    await read(signal);
    await watch(signal);
  }

  async #read(spool: Spool): Promise<void> {
    this.#again = false;
    const changes = new Map(this.#changes);
    let found;
    try {
      found = await spool.read();
    } catch (error) {
      this.#failed(error);
      // Somebody removed it; what is known is written again.
      for (const key of this.#orders.keys()) this.#unsaved.add(key);
      return;
    }
    for (const key of new Set([...found.keys(), ...this.#orders.keys()])) {
      if (this.#unsaved.has(key) || this.#changes.get(key) !== changes.get(key)) continue;
      const entry = found.get(key);
      if (entry?.kind !== 'unreadable') this.#unreadable.delete(key);
      if (entry?.kind === 'unreadable') this.#assume(key, entry.problem);
      else if (entry?.kind === 'garbage') await this.#refuse(spool, key, entry);
      else if (entry?.isBare && this.#age(entry) < bareMs) this.#again = true;
      else this.#set(key, entry?.order ?? {}, { from: 'file' });
    }
    this.#prune();
  }

  /** What was in force stays so. Where nothing is known, the file is taken for a drain, as an empty one is: it is there. */
  #assume(key: OrderKey, problem: string): void {
    this.#again = true;
    if (!this.#unreadable.has(key)) {
      const file = this.#spool?.pathOf(key);
      this.#deps.logger.warn('an order cannot be read', { file, problem });
      this.#unreadable.add(key);
    }
    if (this.#orders.has(key)) return;
    const drain = { since: this.#deps.clock.now(), reason: `its order cannot be read: ${problem}` };
    this.#set(key, { drain }, { from: 'file' });
  }

  /** What was in force stays so: a slip of the pen must not bring traffic back. */
  async #refuse(
    spool: Spool,
    key: OrderKey,
    entry: { readonly problem: string; readonly writtenAt: number },
  ): Promise<void> {
    const { logger } = this.#deps;
    if (this.#age(entry) < freshMs) {
      this.#again = true;
      return;
    }
    try {
      const file = await spool.setAside(key);
      const { problem } = entry;
      logger.warn('an order cannot be understood, its file is set aside', { file, problem });
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (!this.#orders.has(key)) return;
    this.#unsaved.add(key);
    this.#save(key).catch(() => undefined);
  }

  /** In milliseconds; one from the future is as old as can be. */
  #age({ writtenAt }: { readonly writtenAt: number }): number {
    const age = this.#deps.clock.now() - writtenAt;
    return age < 0 ? Infinity : age;
  }

  #enqueue<T>(work: (spool: Spool) => Promise<T>): Promise<T> {
    const spool = this.#spool;
    if (spool === undefined) return Promise.reject(new Error('there is no spool'));
    const done = this.#queue.then(() => work(spool));
    this.#waiting += 1;
    this.#queue = done.catch(() => undefined).finally(() => (this.#waiting -= 1));
    return done;
  }

  #failed(error: unknown): void {
    const problem = typeof error === 'string' ? error : describeError(error);
    if (this.#failing) return;
    this.#failing = true;
    const directory = this.#spool?.directory;
    this.#deps.logger.warn('orders do not survive a restart for now', { directory, problem });
  }
}
