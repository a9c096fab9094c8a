import type { Memory, ServiceMemory } from './memory.js';

/** The oldest and newest times of a service's vanished servers; a list of servers is read once for them. */
const vanishedTimes = new WeakMap<ServiceMemory['servers'], Times>();

interface Times {
  readonly oldest: number;
  readonly newest: number;
}

function timesOf({ servers }: ServiceMemory): Times {
  const known = vanishedTimes.get(servers);
  if (known !== undefined) return known;
  let [oldest, newest] = [Infinity, -Infinity];
  for (const { seen } of servers.values()) {
    if (seen === undefined) continue;
    oldest = Math.min(oldest, seen);
    newest = Math.max(newest, seen);
  }
  vanishedTimes.set(servers, { oldest, newest });
  return { oldest, newest };
}

/** Between which times everything in a memory was seen, and which of its services have no servers, where that is known. */
const bounds = new WeakMap<Memory, Times & { readonly empty: readonly string[] }>();

/**
 * Notes that `now` holds what `before` held, but for services that were seen at `nowSeconds`, and those of `empty`, of
 * which nothing is left: then it need not be looked through at the next look.
 */
export function noteRenewed(before: Memory, now: Memory, nowSeconds: number, empty: readonly string[]): void {
  const known = bounds.get(before);
  if (known === undefined) return;
  const { oldest, newest } = known;
  const times = { oldest: Math.min(oldest, nowSeconds), newest: Math.max(newest, nowSeconds) };
  bounds.set(now, { ...times, empty: [...known.empty, ...empty] });
}

/**
 * Forgets what was last seen more than `ttlSeconds` ago, and services of which nothing is left. Services
 * in `keep` are spared: while nothing is known of them, memory is all they have. A service that loses nothing
 * stays the same value.
 */
export function expireMemory(
  memory: Memory,
  nowSeconds: number,
  ttlSeconds: number,
  keep: ReadonlySet<string>,
): Memory {
  // Ruby takes the distance in both directions: a clock that was set back must not keep servers for ever.
  const isFresh = (seen: number): boolean => Math.abs(nowSeconds - seen) <= ttlSeconds;
  const known = bounds.get(memory);
  if (known !== undefined && isFresh(known.oldest) && isFresh(known.newest)) {
    const empty = known.empty.filter((service) => !keep.has(service));
    if (empty.length === 0) return memory;
    const full = new Map(memory);
    for (const service of empty) if (full.get(service)?.servers.size === 0) full.delete(service);
    bounds.set(full, { ...known, empty: known.empty.filter((service) => keep.has(service)) });
    return full;
  }
  return lookThrough(memory, isFresh, keep);
}

function lookThrough(memory: Memory, isFresh: (seen: number) => boolean, keep: ReadonlySet<string>): Memory {
  const left = new Map<string, ServiceMemory>();
  let [first, last] = [Infinity, -Infinity];
  const empty: string[] = [];
  for (const [service, remembered] of memory) {
    const { oldest, newest } = timesOf(remembered);
    const isWhole = isFresh(remembered.seen) && (oldest === Infinity || (isFresh(oldest) && isFresh(newest)));
    let now = remembered;
    if (!keep.has(service) && !(isWhole && remembered.servers.size > 0)) {
      const fresh = [...remembered.servers].filter(([, { seen }]) => isFresh(seen ?? remembered.seen));
      if (fresh.length === 0) continue;
      now = { ...remembered, servers: new Map(fresh) };
    }
    left.set(service, now);
    const times = timesOf(now);
    first = Math.min(first, now.seen, times.oldest);
    last = Math.max(last, now.seen, times.newest);
    if (now.servers.size === 0) empty.push(service);
  }
  bounds.set(left, { oldest: first, newest: last, empty });
  return left;
}
