import type { Order } from './order.js';
import type { SpoolEntry } from './spool.js';

/** A file this young may still be in the middle of being written, in milliseconds. */
const freshMs = 2_000;
/** A file that is emptied and then written is empty for no longer, in milliseconds. */
const bareMs = 500;

/** What a file of the spool means for what is in force. */
export type Judgement =
  | { readonly kind: 'order'; readonly order: Order }
  /** Not known yet: what is in force stays so. */
  | { readonly kind: 'later' }
  /** It never will be an order. */
  | { readonly kind: 'refused'; readonly problem: string };

/**
 * Judges a file, or that there is none. `isFirst`: nothing of the spool is known so far; `isKnown`: something is in
 * force for its key. `now` is wall clock milliseconds.
 */
export function judge(
  entry: SpoolEntry | undefined,
  { isFirst, isKnown }: { readonly isFirst: boolean; readonly isKnown: boolean },
  now: number,
): Judgement {
  switch (entry?.kind) {
    case undefined:
      return { kind: 'order', order: {} };
    case 'unreadable':
      // What was in force stays so. Otherwise it is there, and nobody knows that it is no drain.
      return isKnown && !isFirst
        ? { kind: 'later' }
        : {
            kind: 'order',
            order: { drain: { since: now, reason: `its order cannot be read: ${entry.problem}` } },
          };
    case 'garbage':
      return age(entry, now) < freshMs ? { kind: 'later' } : { kind: 'refused', problem: entry.problem };
    case 'order':
      // At the start a drain that is none, for a moment, does less harm than none where there is one.
      return entry.isBare && !isFirst && age(entry, now) < bareMs
        ? { kind: 'later' }
        : { kind: 'order', order: entry.order };
  }
}

/** In milliseconds; one from the future is as old as can be. */
function age({ writtenAt }: { readonly writtenAt: number }, now: number): number {
  return now < writtenAt ? Infinity : now - writtenAt;
}
