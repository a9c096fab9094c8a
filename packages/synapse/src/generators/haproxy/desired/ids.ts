import type { ServiceMemory } from './memory.js';

/** A server that needs an id: the one its options state, if they do. */
export interface IdRequest {
  readonly name: string;
  readonly id: number | undefined;
}

/** Ids by server name, and the names for which none was left or whose stated id another server states too. */
export interface AssignedIds {
  readonly ids: ReadonlyMap<string, number>;
  readonly exhausted: readonly string[];
  readonly conflicting: readonly string[];
}

/**
 * Gives each server of a backend its id: the one in its options, else the remembered one, else the
 * lowest that is free, in the order given. Ids of vanished servers stay reserved as long as they are
 * remembered (a server that is still finishing requests holds its id in HAProxy), unless all are used.
 * What a stranger's server has (`foreign`, names by id) is not given to another until that is gone.
 */
export function assignIds(
  requests: readonly IdRequest[],
  remembered: ServiceMemory,
  maxId: number,
  foreign: ReadonlyMap<number, string> = new Map(),
): AssignedIds {
  const ids = new Map<string, number>();
  const taken = new Set<number>();
  const conflicting: string[] = [];
  for (const { name, id } of requests) {
    if (id === undefined) continue;
    if (taken.has(id)) conflicting.push(name);
    else {
      taken.add(id);
      ids.set(name, id);
    }
  }
  const isForeign = (id: number, name: string): boolean =>
    foreign.size > 0 && (foreign.get(id) ?? name) !== name;
  /** Those that have none yet. */
  const open = new Set<string>();
  for (const { name, id: stated } of requests) {
    if (stated !== undefined) continue;
    const id = remembered.servers.get(name)?.serverId;
    if (id === undefined || taken.has(id) || id > maxId || isForeign(id, name)) open.add(name);
    else {
      taken.add(id);
      ids.set(name, id);
    }
  }
  if (open.size === 0) return { ids, exhausted: [], conflicting };
  const isLive = (name: string): boolean => ids.has(name) || open.has(name) || conflicting.includes(name);
  const reserved = new Set<number>();
  for (const [name, { serverId }] of remembered.servers)
    if (serverId !== undefined && !isLive(name)) reserved.add(serverId);
  const exhausted: string[] = [];
  let next = 1;
  let frugal = true;
  const lowestFree = (): number | undefined => {
    const isTaken = (id: number): boolean => taken.has(id) || foreign.has(id) || (frugal && reserved.has(id));
    while (next <= maxId && isTaken(next)) next += 1;
    if (next <= maxId) return next;
    if (!frugal) return undefined;
    frugal = false;
    next = 1;
    return lowestFree();
  };
  for (const name of open) {
    const id = lowestFree();
    if (id === undefined) exhausted.push(name);
    else {
      taken.add(id);
      ids.set(name, id);
    }
  }
  return { ids, exhausted, conflicting };
}

/** The ids that all remembered servers of a backend have, the living ones included: each its own. */
export class UsedIds {
  readonly #used: Set<number>;
  #next = 1;

  private constructor(used: Set<number>) {
    this.#used = used;
  }

  /** Undefined where two have the same, or one has none: only `assignIds` tells whose it is then. */
  static of({ servers }: Pick<ServiceMemory, 'servers'>): UsedIds | undefined {
    const used = new Set<number>();
    for (const { serverId } of servers.values()) if (serverId !== undefined) used.add(serverId);
    return used.size === servers.size ? new UsedIds(used) : undefined;
  }

  /** The lowest that is free, which it is no more; undefined where none is left up to `maxId`. */
  take(maxId: number): number | undefined {
    while (this.#used.has(this.#next)) this.#next += 1;
    if (this.#next > maxId) return undefined;
    this.#used.add(this.#next);
    return this.#next;
  }
}
