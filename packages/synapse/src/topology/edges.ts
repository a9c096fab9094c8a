import { byText } from '@smartstack/agent';
import type { Caller, Edge } from './types.js';

/** Unseen for so long, an edge is no more; in milliseconds. */
export const edgeLifeMs = 900_000;
/** A host has no more; whoever was unseen longest goes first. */
const maxEdges = 1_000;

interface Kept {
  readonly caller: Caller;
  readonly service: string;
  readonly first: number;
  last: number;
}

const keyOf = (caller: Caller, service: string): string => `${caller.identity}\0${caller.name}\0${service}`;

/** Nobody was seen: it stands in for whoever it was. */
const isStandIn = ({ identity }: Caller): boolean => identity === 'host' || identity === 'only-service';

/** Who called whom on this host in the last quarter of an hour. Times are monotonic milliseconds. */
export class Edges {
  readonly #edges = new Map<string, Kept>();
  #dropped = 0;

  /** Edges for which there was no room, since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Notes that it was seen now. Who is seen takes the place of who stood in for them. */
  note(caller: Caller, service: string, now: number): void {
    if (isStandIn(caller) && this.#isSeen(service)) return;
    if (!isStandIn(caller))
      for (const [key, kept] of this.#edges)
        if (kept.service === service && isStandIn(kept.caller)) this.#edges.delete(key);
    const key = keyOf(caller, service);
    const known = this.#edges.get(key);
    // At the end again: those before were seen earlier.
    this.#edges.delete(key);
    this.#edges.set(key, known ? { ...known, last: now } : { caller, service, first: now, last: now });
    for (const oldest of this.#edges.keys()) {
      if (this.#edges.size <= maxEdges) break;
      this.#edges.delete(oldest);
      this.#dropped += 1;
    }
  }

  /** Drops what was not seen for long, and services that are no more. */
  age(now: number, exists: (service: string) => boolean): void {
    for (const [key, { last, service }] of this.#edges)
      if (now - last >= edgeLifeMs || !exists(service)) this.#edges.delete(key);
  }

  /** In the order of their services and callers; `offset` makes wall clock times of them. */
  list(offset: number): readonly Edge[] {
    return [...this.#edges.values()]
      .map(({ caller, service, first, last }) => ({
        ...{ caller, service, firstSeen: Math.round(first + offset), lastSeen: Math.round(last + offset) },
      }))
      .sort((a, b) => byText(a.service, b.service) || byText(a.caller.name, b.caller.name));
  }

  #isSeen(service: string): boolean {
    for (const kept of this.#edges.values())
      if (kept.service === service && !isStandIn(kept.caller)) return true;
    return false;
  }
}
