import { Backoff, byText, type Clock, describeError, unlessAborted } from '@smartstack/agent';
import type { EtcdClient } from './client.js';
import { EtcdError } from './errors.js';
import { type Change, type ListedKey, rangeOf, readRange, readWatch, watchFrom } from './watchMessages.js';

/** More keys of one prefix are not read: somebody's mistake, or attack. */
const maxKeys = 20_000;

/** A watch that breaks off sooner is opened again after a pause, in milliseconds. */
const lastsMs = 5_000;

/** Who hears of the keys of a prefix. */
export interface PrefixListener {
  /** All keys, in order, as of now. Also when nothing changed. */
  readonly onKeys: (keys: ReadonlyMap<string, ListedKey>) => void;
  /** They cannot be read any more, or not yet. */
  readonly onLost: (reason: string) => void;
  /** Something changed, and `onKeys` follows. */
  readonly onEvent?: (() => void) | undefined;
}

export interface PrefixWatchOptions {
  readonly client: EtcdClient;
  readonly prefix: string;
  readonly listener: PrefixListener;
  readonly clock: Clock;
  readonly random: () => number;
  /** Aborts when the cluster does not answer any more: a stream that is cut off says nothing. */
  readonly broken: () => AbortSignal;
}

/** Keeps a complete reading of a prefix: reads it, then follows its changes from that revision on. */
export class PrefixWatch {
  readonly #options: PrefixWatchOptions;
  readonly #backoff: Backoff;
  #keys = new Map<string, ListedKey>();

  constructor(options: PrefixWatchOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ minMs: 100, maxMs: 5_000, random: options.random });
  }

  /** Runs until `signal` aborts, whatever etcd does. */
  async run(signal: AbortSignal): Promise<void> {
    const stopped = (): boolean => signal.aborted;
    const { clock, listener } = this.#options;
    while (!stopped()) {
      const begun = clock.monotonic();
      try {
        const revision = await this.#read(signal);
        if (revision !== undefined) await this.#follow(revision, signal);
      } catch (error) {
        if (stopped()) return;
        listener.onLost(describeError(error));
      }
      // What lasted and broke off is read again at once; what never lasts is not asked for all the time.
      if (clock.monotonic() - begun >= lastsMs) this.#backoff.reset();
      else if (!stopped()) await clock.sleep(this.#backoff.next(), signal).catch(() => undefined);
    }
  }

  /** Returns the revision that was read; undefined when it is stopped. */
  async #read(signal: AbortSignal): Promise<bigint | undefined> {
    const { client, prefix, listener } = this.#options;
    // One more than counts, so that it shows.
    const answer = client.call('/v3/kv/range', rangeOf(prefix, maxKeys + 1));
    const found = await unlessAborted(answer, signal);
    if (found === undefined) return undefined;
    const { revision, keys } = readRange(found);
    if (keys.length > maxKeys) throw new EtcdError(`more than ${maxKeys} keys begin with ${prefix}`);
    this.#keys = new Map(keys.map((each) => [each.key, each]));
    listener.onKeys(this.#keys);
    return revision;
  }

  /** Returns when everything has to be read again: the watch ended, or what it would have told is compacted. */
  async #follow(revision: bigint, signal: AbortSignal): Promise<void> {
    const { client, prefix, broken } = this.#options;
    const end = new AbortController();
    const any = AbortSignal.any([signal, end.signal, broken()]);
    let refused: string | undefined;
    const take = (message: unknown): void => {
      const told = readWatch(message);
      if (told.kind === 'changes') this.#apply(told.changes);
      if (told.kind !== 'ended') return;
      refused = told.compacted ? undefined : told.reason;
      end.abort();
    };
    try {
      await client.stream('/v3/watch', watchFrom(prefix, revision + 1n), take, any);
    } catch (error) {
      // A connection that breaks is no loss yet: whether the keys can be read, the next reading tells.
      if (!any.aborted && !(error instanceof EtcdError && (error.elsewhere || error.stale))) throw error;
    }
    if (refused !== undefined) throw new EtcdError(refused);
  }

  #apply(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    this.#options.listener.onEvent?.();
    let sorted = true;
    for (const { key, put } of changes) {
      if (put === undefined) this.#keys.delete(key);
      else {
        sorted &&= this.#keys.has(key);
        this.#keys.set(key, put);
      }
    }
    if (this.#keys.size > maxKeys) throw new EtcdError(`more than ${maxKeys} keys`);
    if (!sorted) this.#keys = new Map([...this.#keys].sort(([a], [b]) => byText(a, b)));
    this.#options.listener.onKeys(this.#keys);
  }
}
