import type { Instance } from '@smartstack/registry';
import { difference } from './difference.js';

/** When a loss is too great to be believed, and for how long it is not. Durations in milliseconds. */
export interface MassLossRules {
  /** More than this share of a source's instances has to vanish, 0 to 1. */
  readonly share: number;
  /** Fewer than so many are never held. */
  readonly minimum: number;
  /** What vanishes within this time vanishes at once. */
  readonly windowMs: number;
  /** How long what vanished stays in rotation unless it returns. */
  readonly holdMs: number;
  /** An empty source has its own fallback, without a limit of time: the last known instances. */
  readonly keepsPrevious: boolean;
}

/** An instance that its source no longer tells. */
interface Missing {
  readonly instance: Instance;
  readonly goneAt: number;
  /** Undefined while its loss is an ordinary one. */
  readonly heldUntil: number | undefined;
}

/** What was told last, and what went before that. A value; all times are monotonic milliseconds. */
export interface Losses {
  readonly present: readonly Instance[];
  readonly missing: ReadonlyMap<string, Missing>;
  /** How many were present lately, and when. */
  readonly sizes: readonly { readonly at: number; readonly size: number }[];
}

export const noLosses: Losses = { present: [], missing: new Map(), sizes: [] };

/** Where it listens: whoever comes back with another name or number is back. */
function placeOf({ host, port }: Instance): string {
  return `${host} ${port}`;
}

/** Whether an instance that is missing still counts: it is held, or went so lately that more may follow. */
function counts({ heldUntil, goneAt }: Missing, now: number, { windowMs }: MassLossRules): boolean {
  return heldUntil === undefined ? goneAt > now - windowMs : heldUntil > now;
}

/** While nothing is left, the fallback for that has them; the time that they are held begins with the first return. */
function heldUntilOf({ heldUntil }: Missing, isEmpty: boolean, now: number, rules: MassLossRules): number {
  if (isEmpty && rules.keepsPrevious) return Infinity;
  return heldUntil === undefined || heldUntil === Infinity ? now + rules.holdMs : heldUntil;
}

/**
 * What a live source tells now, after `losses`. Instances that vanish one by one, or announced it with a weight
 * of 0, are let go; of those that vanish by the dozen, none is until their time is over: a registry that loses most
 * of a service at once is likelier to be wrong than right (Envoy's panic threshold rests on the same thought).
 */
export function afterSnapshot(
  { present: before, missing: known, sizes: earlier }: Losses,
  instances: readonly Instance[],
  now: number,
  rules: MassLossRules,
): Losses {
  const missing = new Map<string, Missing>();
  const { gone, come } = difference(before, instances);
  // At the start there is nothing to lose, and mostly a source tells what it told before.
  if (known.size > 0 || gone.length > 0) {
    // Whoever was there before is not at the place of one that was missing then.
    const present = new Set((gone.length === 0 ? come : instances).map(placeOf));
    for (const [place, each] of known)
      if (!present.has(place) && counts(each, now, rules)) missing.set(place, each);
    for (const instance of gone) {
      const place = placeOf(instance);
      if (present.has(place) || instance.weight === 0) continue;
      missing.set(place, { instance: { ...instance, held: true }, goneAt: now, heldUntil: undefined });
    }
  }
  const size = instances.length;
  const sizes = [...earlier.filter(({ at }) => at > now - rules.windowMs), { at: now, size }];
  const held = [...missing.values()].filter(({ heldUntil }) => heldUntil !== undefined).length;
  // Instances that come and go, or make way for others, are many in time and few at once: what counts is how many are left.
  const most = Math.max(before.length, size + held, ...sizes.map((each) => each.size));
  const isMass = missing.size >= rules.minimum && most - size > rules.share * most;
  const wasEmptied = [...missing.values()].some(({ heldUntil }) => heldUntil === Infinity);
  if (!isMass && !wasEmptied) return { present: instances, missing, sizes };
  const marked = [...missing].map(([place, each]): [string, Missing] => {
    // Once most are back, whoever goes then goes as any other.
    const stays = isMass || each.heldUntil !== undefined;
    const heldUntil = stays ? heldUntilOf(each, size === 0, now, rules) : undefined;
    return [place, { ...each, heldUntil }];
  });
  return { present: instances, missing: new Map(marked), sizes };
}

/** The same some time later: those whose time is over are let go. */
export function afterTime(losses: Losses, now: number, rules: MassLossRules): Losses {
  const left = [...losses.missing].filter(([, each]) => counts(each, now, rules));
  return left.length === losses.missing.size ? losses : { ...losses, missing: new Map(left) };
}

/** The instances that are held, marked as such. */
export function heldInstances({ missing }: Losses): readonly Instance[] {
  return [...missing.values()].flatMap(({ instance, heldUntil }) =>
    heldUntil === undefined ? [] : [instance],
  );
}

/** When the first of them will be let go; undefined when none will be by time alone. */
export function nextRelease({ missing }: Losses): number | undefined {
  const times = [...missing.values()].flatMap(({ heldUntil }) =>
    heldUntil === undefined || heldUntil === Infinity ? [] : [heldUntil],
  );
  return times.length === 0 ? undefined : Math.min(...times);
}
