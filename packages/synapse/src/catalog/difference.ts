import type { Instance } from '@smartstack/registry';

/** What two lists of instances do not have in common, each in the order of its list. */
export interface Difference {
  readonly gone: readonly Instance[];
  readonly come: readonly Instance[];
}

const none: Difference = { gone: [], come: [] };

/**
 * Compares two lists, in which each instance stands once, by identity: an instance that did not change is the very same. Mostly all but one stand in the
 * same order, so what the lists begin and end with alike is left out before anything is looked up.
 */
export function difference(before: readonly Instance[], now: readonly Instance[]): Difference {
  const shorter = Math.min(before.length, now.length);
  let start = 0;
  while (start < shorter && before[start] === now[start]) start += 1;
  let left = shorter - start;
  while (
    left > 0 &&
    before[before.length - shorter + start + left - 1] === now[now.length - shorter + start + left - 1]
  )
    left -= 1;
  const alike = shorter - start - left;
  const were = before.slice(start, before.length - alike);
  const are = now.slice(start, now.length - alike);
  if (were.length + are.length === 0) return none;
  const [old, current] = [new Set(were), new Set(are)];
  return { gone: were.filter((one) => !current.has(one)), come: are.filter((one) => !old.has(one)) };
}
