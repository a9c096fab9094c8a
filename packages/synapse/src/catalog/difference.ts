/** What two lists do not have in common, each in the order of its list, and how much of both is alike. */
export interface Difference<T> {
  readonly gone: readonly T[];
  readonly come: readonly T[];
  /** How many both begin with. */
  readonly alikeAtStart: number;
  /** How many of the others both end with. */
  readonly alikeAtEnd: number;
}

/**
 * Compares two lists, in which each item stands once, by identity: one that did not change is the very same. Mostly all
 * but one stand in the same order, so what the lists begin and end with alike is left out before anything is looked up.
 */
export function difference<T>(before: readonly T[], now: readonly T[]): Difference<T> {
  const shorter = Math.min(before.length, now.length);
  let start = 0;
  while (start < shorter && before[start] === now[start]) start += 1;
  let left = shorter - start;
  while (
    left > 0 &&
    before[before.length - shorter + start + left - 1] === now[now.length - shorter + start + left - 1]
  )
    left -= 1;
  const alikeAtEnd = shorter - start - left;
  const were = before.slice(start, before.length - alikeAtEnd);
  const are = now.slice(start, now.length - alikeAtEnd);
  const alike = { alikeAtStart: start, alikeAtEnd };
  if (were.length === 0 || are.length === 0) return { gone: were, come: are, ...alike };
  const [old, current] = [new Set(were), new Set(are)];
  return {
    gone: were.filter((one) => !current.has(one)),
    come: are.filter((one) => !old.has(one)),
    ...alike,
  };
}
