import { isRange, type Place, placeOf } from './bindLines.js';

/** Ports of one host that somebody has. */
interface Claimed extends Place {
  readonly owner: string;
  /** As it stands in the first of his lines. */
  readonly address: string;
}

/** A key of `Claims` that is no name of a section. */
const isAddress = (key: string): boolean => !key.includes(' ');

/**
 * Who has which ports of which host, where some are ranges: these can clash without being the same text. What different
 * owners have does not overlap, so that a look takes as long for many as for few.
 */
export class PortClaims {
  /** Of each host, in the order of its ports, and apart from each other. */
  readonly #hosts = new Map<string, Claimed[]>();

  /** Those of the addresses among `owners`; undefined where none of them is a range, so that their texts tell all. */
  static ifRanges(owners: ReadonlyMap<string, string>): PortClaims | undefined {
    for (const key of owners.keys()) if (isAddress(key) && isRange(key)) return PortClaims.of(owners);
    return undefined;
  }

  /** Those of the addresses among `owners`. */
  static of(owners: ReadonlyMap<string, string>): PortClaims {
    const claims = new PortClaims();
    for (const [key, owner] of owners) if (isAddress(key)) claims.claim(key, owner);
    return claims;
  }

  /** Who else has one of these ports, and where. */
  other(address: string, owner: string): Pick<Claimed, 'owner' | 'address'> | undefined {
    const { host, first, last } = placeOf(address);
    if (first > last) return undefined;
    const claimed = this.#hosts.get(host) ?? [];
    for (let at = indexFrom(claimed, first); at < claimed.length; at += 1) {
      const one = claimed[at];
      if (one === undefined || one.first > last) return undefined;
      if (one.owner !== owner) return one;
    }
    return undefined;
  }

  /** Notes that `owner` has these ports, unless somebody else has one of them. */
  claim(address: string, owner: string): void {
    if (this.other(address, owner) !== undefined) return;
    const { host, first, last } = placeOf(address);
    // Nobody can listen there.
    if (first > last) return;
    const claimed = this.#hosts.get(host) ?? [];
    this.#hosts.set(host, claimed);
    const at = indexFrom(claimed, first);
    let count = 0;
    let all: Claimed = { host, first, last, owner, address };
    // His own that overlap become one.
    for (; (claimed[at + count]?.first ?? Infinity) <= last; count += 1) {
      const { first: from, last: to, address: known } = claimed[at + count] ?? all;
      all = { ...all, first: Math.min(all.first, from), last: Math.max(all.last, to), address: known };
    }
    claimed.splice(at, count, all);
  }
}

/** Index of the first one that does not end before `port`. */
function indexFrom(claimed: readonly Claimed[], port: number): number {
  let [low, high] = [0, claimed.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((claimed[middle]?.last ?? Infinity) < port) low = middle + 1;
    else high = middle;
  }
  return low;
}
