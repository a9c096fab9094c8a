import type { Instance, Json } from '@smartstack/registry';

/** Where this host is: values by level (`zone`, `region`), as the labels of instances have them. */
export type Location = ReadonlyMap<string, string>;

/** A host of which nobody said where it is. */
export const nowhere: Location = new Map();

/** How levels and the labels that they compare may be called; also a part of a section's name. */
export const levelName = /^[A-Za-z0-9_.-]{1,64}$/;

/** What a label says, as text; undefined for what is no plain value. */
function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;
}

function agrees({ labels = {} }: Instance, level: string, location: Location): boolean {
  const here = location.get(level);
  // Own properties only: a level `constructor` must not see Object's.
  return here !== undefined && Object.hasOwn(labels, level) && textOf(labels[level]) === here;
}

/** The instances whose labels agree with `location` at every one of `levels`, in their order. One without labels is far. */
export function instancesWithin(
  instances: readonly Instance[],
  levels: readonly string[],
  location: Location,
): readonly Instance[] {
  return instances.filter((instance) => levels.every((level) => agrees(instance, level, location)));
}

/** Why an instance is not within `levels`: the first at which it is elsewhere. Undefined where it is within all. */
export function disagreement(
  instance: Instance,
  levels: readonly string[],
  location: Location,
): string | undefined {
  const level = levels.find((each) => !agrees(instance, each, location));
  if (level === undefined) return undefined;
  const { labels = {} } = instance;
  const there = Object.hasOwn(labels, level) ? textOf(labels[level]) : undefined;
  const here = `here it is ${JSON.stringify(location.get(level) ?? '')}`;
  return there === undefined
    ? `it has no label ${level}, ${here}`
    : `its ${level} is ${JSON.stringify(there)}, ${here}`;
}

/**
 * Those of `levels`, near to far, at which this host can be near to anything: it is said where it is at this and at
 * all wider ones.
 */
export function knownLevels(levels: readonly string[], location: Location): readonly string[] {
  return levels.slice(levels.findLastIndex((level) => !location.has(level)) + 1);
}
