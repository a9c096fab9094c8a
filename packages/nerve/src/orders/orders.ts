import {
  type Clock,
  describeError,
  type Logger,
  run,
  untilAborted,
  watchFiles,
  within,
} from '@smartstack/agent';
import { type OrdersOfService, OrderBook, type Origin } from './book.js';
import { Hold } from './hold.js';
import { judge } from './judge.js';
import { type Drain, isEmpty, type Order, pruned } from './order.js';
import { isAbsent, isFinal, type OrderKey, type Spool } from './spool.js';
import { Turns } from './turns.js';

export type { OrdersOfService } from './book.js';

/** How often to look whether something has expired or still has to be written, in milliseconds. */
const tickMs = 1_000;
/** A disk that takes longer is not waited for, in milliseconds. */
const patienceMs = 2_000;
const hung = 'the file system does not answer';

/** What orders need. */
export interface OrdersDeps {
  /** Where they survive a restart; undefined: nowhere. */
  readonly spool: Spool | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * What operators want of services until they take it back: in memory, and in a spool that survives a restart and
 * that people and scripts may change by hand. The memory goes before a file that could not be written.
 */
export class Orders {
  readonly #deps: OrdersDeps;
  readonly #spool: Spool | undefined;
  readonly #book: OrderBook;
  /** Changed, and not in the spool yet. */
  readonly #unsaved = new Set<OrderKey>();
  /** One thing at a time happens to the spool. */
  readonly #turns = new Turns();
  /** The spool cannot be used now, and that was said. */
  #failing = false;
  #again = false;
  /** The spool was read once, as far as it can be. Before that nothing is written to it. */
  #isRead = false;
  /** Changes from before that: they are made once more, to what is read. */
  readonly #early: { readonly key: OrderKey; readonly next: (before: Order) => Order }[] = [];
  readonly #hold: Hold | undefined;
  /** Files that cannot be read, with what was said of them. */
  #unreadable: ReadonlyMap<OrderKey, string> = new Map();

  constructor(deps: OrdersDeps) {
    this.#deps = deps;
    this.#spool = deps.spool;
    this.#book = new OrderBook(deps.logger);
    if (deps.spool !== undefined) this.#hold = new Hold(deps.spool.directory, deps);
  }

  /** The host's drain, if there is one. */
  get host(): Drain | undefined {
    return this.#book.host;
  }

  /** True after the start while it is not known who is drained: then nothing is registered. Not for long. */
  get isUnread(): boolean {
    return this.#hold?.isOn === true;
  }

  /** What applies to a service, whether it is configured or not. */
  of(service: string, ignoresHost = false): OrdersOfService {
    const found = this.#book.of(service, ignoresHost);
    return this.isUnread ? { ...found, isUnread: true } : found;
  }

  /** Calls `listener` after any change. */
  onChange(listener: () => void): void {
    this.#book.onChange(listener);
  }

  /** Reads the spool. Never rejects: without one, orders are kept in memory only, which is said once. */
  async load(): Promise<void> {
    const spool = this.#spool;
    if (spool === undefined) return;
    const read = this.#turns.take('load', async () => {
      await spool.prepare().catch((error: unknown) => this.#failed(error));
      await this.#read(spool);
    });
    if (!(await this.#wait(read))) this.#failed(hung);
    this.#hold?.announce();
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
    this.#set(key, next(this.#book.get(key)), by === undefined ? {} : { by });
    if (this.#spool === undefined) return false;
    if (!this.#isRead) this.#early.push({ key, next });
    return (await within(this.#save(this.#spool, key), patienceMs, this.#deps.clock)) ?? false;
  }

  #set(key: OrderKey, order: Order, origin: Origin): void {
    if (!this.#book.set(key, order, origin)) return;
    if (origin.from !== 'file') this.#unsaved.add(key);
    this.#book.notify();
  }

  #save(spool: Spool, key: OrderKey): Promise<boolean> {
    return this.#turns.take(`save ${key}`, async () => {
      if (!this.#unsaved.has(key)) return this.#isRead;
      // What is there may be more than what is known.
      if (!this.#isRead) return false;
      const change = this.#book.changesOf(key);
      try {
        await spool.write(key, this.#book.get(key));
      } catch (error) {
        this.#failed(error);
        return false;
      }
      this.#failing = false;
      if (this.#book.changesOf(key) === change) this.#unsaved.delete(key);
      return true;
    });
  }

  async #tick(signal: AbortSignal): Promise<void> {
    let busyRounds = 0;
    for (let round = 1; ; round += 1) {
      await this.#deps.clock.sleep(tickMs, signal);
      this.#prune();
      if (this.#hold?.expire()) this.#book.notify();
      const spool = this.#spool;
      if (spool === undefined) continue;
      if (this.#turns.isBusy) {
        // Whatever else there is to do does not go faster when it is asked for again.
        busyRounds += 1;
        if (busyRounds * tickMs > patienceMs) this.#failed(hung);
        continue;
      }
      if (busyRounds * tickMs > patienceMs) this.#failing = false;
      busyRounds = 0;
      if (round % 2 === 0 && this.#unsaved.size > 0) await this.#saveAll(spool, signal);
      if (this.#again) await this.#readSoon(spool, signal);
    }
  }

  async #saveAll(spool: Spool, signal: AbortSignal): Promise<void> {
    // Whoever removed the directory did not mean the orders.
    const prepared = this.#turns.take('prepare', () => spool.prepare().catch(() => undefined));
    if (!(await this.#wait(prepared, signal))) return;
    for (const key of [...this.#unsaved]) if (!(await this.#wait(this.#save(spool, key), signal))) return;
  }

  async #readSoon(spool: Spool, signal: AbortSignal): Promise<void> {
    await this.#wait(
      this.#turns.take('read', () => this.#read(spool)),
      signal,
    );
  }

  #prune(): void {
    const now = this.#deps.clock.now();
    for (const [key, order] of this.#book.entries) {
      const rest = pruned(order, now);
      if (rest === order) continue;
      this.#set(key, rest, { from: 'expiry' });
      if (this.#spool) this.#save(this.#spool, key).catch(() => undefined);
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const spool = this.#spool;
    if (spool === undefined) {
      await untilAborted(signal);
      return;
    }
    const { clock, logger } = this.#deps;
    const read = (both: AbortSignal): Promise<void> => this.#readSoon(spool, both);
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
    const book = this.#book;
    const before = book.changes;
    let found;
    try {
      found = await spool.read();
    } catch (error) {
      this.#failed(error);
      this.#again = !isAbsent(error);
      if (this.#again) {
        // A disk may answer later, or better; whoever is forbidden to read would wait in vain.
        if (isFinal(error) && this.#hold?.giveUp(describeError(error))) book.notify();
        return;
      }
      // Somebody removed it; what is known is written again.
      for (const [key] of book.entries) this.#unsaved.add(key);
      this.#noteRead();
      return;
    }
    const isFirst = !this.#isRead;
    const unreadable = new Map<OrderKey, string>();
    for (const key of new Set([...found.keys(), ...book.entries.map(([known]) => known)])) {
      const entry = found.get(key);
      if (entry?.kind === 'unreadable') unreadable.set(key, this.#tellUnreadable(spool, key, entry.problem));
      const isOurs = this.#unsaved.has(key) || book.changesOf(key) !== (before.get(key) ?? 0);
      if (isOurs && !isFirst) continue;
      const judged = judge(entry, { isFirst, isKnown: !isEmpty(book.get(key)) }, this.#deps.clock.now());
      if (judged.kind === 'later') this.#again = true;
      else if (judged.kind === 'refused') await this.#refuse(spool, key, judged.problem);
      else if (isFirst) this.#merge(spool, key, judged.order);
      else this.#set(key, judged.order, { from: 'file' });
    }
    this.#unreadable = unreadable;
    this.#again ||= unreadable.size > 0;
    this.#noteRead();
    this.#prune();
  }

  /** Takes over what is in a file that nobody has seen so far, with what was changed meanwhile. */
  #merge(spool: Spool, key: OrderKey, order: Order): void {
    const early = this.#early.filter((change) => change.key === key);
    if (early.length === 0) {
      this.#set(key, order, { from: 'file' });
      return;
    }
    const merged = early.reduce((known, { next }) => next(known), order);
    this.#set(key, merged, {});
    this.#unsaved.add(key);
    this.#save(spool, key).catch(() => undefined);
  }

  #noteRead(): void {
    this.#isRead = true;
    this.#early.length = 0;
    if (this.#hold?.end()) this.#book.notify();
  }

  #tellUnreadable(spool: Spool, key: OrderKey, problem: string): string {
    if (this.#unreadable.get(key) !== problem)
      this.#deps.logger.warn('an order cannot be read', { file: spool.path(key), problem });
    return problem;
  }

  /** What was in force stays so: a slip of the pen must not bring traffic back. */
  async #refuse(spool: Spool, key: OrderKey, problem: string): Promise<void> {
    const { logger } = this.#deps;
    try {
      const file = await spool.setAside(key);
      logger.warn('an order cannot be understood, its file is set aside', { file, problem });
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (isEmpty(this.#book.get(key))) return;
    this.#unsaved.add(key);
    this.#save(spool, key).catch(() => undefined);
  }

  /** False when it takes too long; it goes on then. */
  async #wait(work: Promise<unknown>, signal?: AbortSignal): Promise<boolean> {
    const done = work.then(() => true);
    return (await within(done, patienceMs, this.#deps.clock, signal)) ?? false;
  }

  #failed(error: unknown): void {
    const problem = typeof error === 'string' ? error : describeError(error);
    if (this.#failing) return;
    this.#failing = true;
    const directory = this.#spool?.directory;
    this.#deps.logger.warn('orders do not survive a restart for now', { directory, problem });
  }
}
