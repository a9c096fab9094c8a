import { lookup as systemLookup } from 'node:dns/promises';
import { type Clock, describeError, type Timer } from '@smartstack/agent';
import type { CatalogView } from '../catalog/types.js';
import { hostNamesOf } from './hostNames.js';
import { isAddress } from './names.js';

/** Asks the system for the addresses of a host name, the preferred one first; never an empty list. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** How host names of instances are resolved. */
export interface HostResolverOptions {
  readonly clock: Clock;
  /** Called when a name that was used got another address. */
  readonly onChange: () => void;
  readonly lookup?: Lookup;
  /** An answer is used without asking again for so long, in milliseconds. */
  readonly freshMs?: number;
  /** A name whose look-up failed is asked for again after so long, in milliseconds. */
  readonly retryMs?: number;
  /** Longest wait for a name that was never resolved; known ones keep their last address meanwhile. */
  readonly deadlineMs?: number;
}

interface Entry {
  address: string | undefined;
  problem: string | undefined;
  checkedAt: number;
  asking: Promise<void> | undefined;
  retry: Timer | undefined;
}

/** The system's resolver blocks one of libuv's four threads for each name: with a broken DNS, files need the others. */
const maxLookups = 2;

const hostName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$/;

/**
 * Resolves host names beside the reconcile loop: a known name answers at once with its last good address and
 * is asked again in the background, so that a slow or broken DNS delays and removes nothing that works. Of
 * several addresses, which servers hand out in turn, the one in use stays as long as it is among them.
 */
export class HostResolver {
  readonly #entries = new Map<string, Entry>();
  readonly #options: Required<HostResolverOptions>;
  readonly #queue: (() => void)[] = [];
  #running = 0;
  /** What `resolve` answered last: the same answer is the same value. */
  #found: ReadonlyMap<string, string> = new Map();

  constructor(options: HostResolverOptions) {
    const lookup: Lookup = async (host) =>
      (await systemLookup(host, { all: true })).map(({ address }) => address);
    this.#options = { lookup, freshMs: 30_000, retryMs: 5_000, deadlineMs: 500, ...options };
  }

  /** Names that are in use and have no address, with the reason. */
  get problems(): ReadonlyMap<string, string> {
    const failed = [...this.#entries].filter(([, { address }]) => address === undefined);
    return new Map(failed.map(([host, { problem }]) => [host, problem ?? 'not resolved yet']));
  }

  /**
   * Addresses of all of `hosts` that are names and resolve. Names not asked for any more are forgotten. A name
   * that is new here has its address in `before`, if there is one, until the DNS says otherwise.
   */
  async resolve(
    hosts: Iterable<string>,
    before?: (names: ReadonlySet<string>) => ReadonlyMap<string, string>,
  ): Promise<ReadonlyMap<string, string>> {
    const names = new Set([...hosts].filter((host) => !isAddress(host) && hostName.test(host)));
    for (const [name, { retry }] of this.#entries) {
      if (names.has(name)) continue;
      retry?.cancel();
      this.#entries.delete(name);
    }
    const isNew = [...names].some((name) => !this.#entries.has(name));
    const known = isNew ? before?.(names) : undefined;
    const unknown: Promise<void>[] = [];
    const { clock, freshMs, deadlineMs } = this.#options;
    for (const name of names) {
      const entry = this.#entries.get(name) ?? this.#create(name, known?.get(name));
      if (clock.monotonic() - entry.checkedAt >= freshMs) this.#ask(name, entry);
      if (entry.address === undefined && entry.problem === undefined && entry.asking)
        unknown.push(entry.asking);
    }
    if (unknown.length > 0) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimeout(resolve, deadlineMs);
        const finish = (): void => {
          timer.cancel();
          resolve();
        };
        Promise.all(unknown).then(finish, finish);
      });
    }
    const found = new Map<string, string>();
    for (const name of names) {
      const address = this.#entries.get(name)?.address;
      if (address !== undefined) found.set(name, address);
    }
    if (!sameAddresses(found, this.#found)) this.#found = found;
    return this.#found;
  }

  #create(name: string, address: string | undefined): Entry {
    const entry: Entry = {
      ...{ address, problem: undefined, checkedAt: -Infinity },
      ...{ asking: undefined, retry: undefined },
    };
    this.#entries.set(name, entry);
    return entry;
  }

  #ask(name: string, entry: Entry): void {
    if (entry.asking !== undefined) return;
    const { clock, lookup, onChange, retryMs } = this.#options;
    const first = entry.address === undefined && entry.problem === undefined;
    const startedAt = clock.monotonic();
    entry.retry?.cancel();
    entry.asking = this.#limited(() => lookup(name))
      .then((addresses) => {
        const stays = entry.address !== undefined && addresses.includes(entry.address);
        const address = stays ? entry.address : addresses[0];
        const changed = address !== entry.address;
        entry.address = address;
        entry.problem = undefined;
        // The caller waits for a first answer itself, unless it took longer than the caller did.
        if (changed && (!first || clock.monotonic() - startedAt >= this.#options.deadlineMs)) onChange();
      })
      .catch((error: unknown) => {
        entry.problem = describeError(error);
        if (this.#entries.get(name) !== entry) return;
        entry.retry = clock.setTimeout(() => this.#ask(name, entry), retryMs);
      })
      .finally(() => {
        entry.checkedAt = clock.monotonic();
        entry.asking = undefined;
      });
  }

  async #limited<T>(action: () => Promise<T>): Promise<T> {
    if (this.#running >= maxLookups) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#running += 1;
    try {
      return await action();
    } finally {
      this.#running -= 1;
      this.#queue.shift()?.();
    }
  }
}

/** How long the DNS is waited for in all by whoever looks once, in milliseconds. */
const lookupMs = 5_000;

/** Looks up the host names of a view once, for a bounded time; `problems` are names that have no address, and why. */
export async function resolveOnce(
  { services }: CatalogView,
  clock: Clock,
  lookup?: Lookup,
): Promise<{
  readonly addresses: ReadonlyMap<string, string>;
  readonly problems: ReadonlyMap<string, string>;
}> {
  const hosts = new HostResolver({
    ...{ clock, deadlineMs: lookupMs, retryMs: 2 * lookupMs, onChange: () => undefined },
    ...(lookup && { lookup }),
  });
  const addresses = await hosts.resolve(services.flatMap(hostNamesOf));
  const { problems } = hosts;
  // Forgets the names, and with them the timers that would ask again.
  await hosts.resolve([]);
  return { addresses, problems };
}

function sameAddresses(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([host, address]) => b.get(host) === address);
}
