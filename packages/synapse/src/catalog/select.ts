import type { Instance, Json } from '@smartstack/registry';

import type { CatalogRules, LabelFilter } from './definition.js';

function sameJson(a: Json, b: Json): boolean {
  return a === b || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b));
}

function passes(instance: Instance, filter: LabelFilter): boolean {
  // Own properties only: a filter on `constructor` must not see Object's.
  const labels = instance.labels ?? {};
  const value = Object.hasOwn(labels, filter.label) ? (labels[filter.label] ?? null) : null;
  return sameJson(value, filter.value) === (filter.condition === 'equals');
}

/** The instances that pass all filters. */
export function filterByLabels(
  instances: readonly Instance[],
  filters: readonly LabelFilter[],
): readonly Instance[] {
  if (filters.length === 0) return instances;
  return instances.filter((instance) => filters.every((filter) => passes(instance, filter)));
}

/** What makes an instance unique: host, port and name. Where the host ends is told by its length, whatever is in it. */
export function identityOf({ host, port, name = '' }: Instance): string {
  return `${port} ${host.length} ${host}${name}`;
}

/** The first of each (host, port, name), in order. */
export function dedupe(instances: readonly Instance[]): readonly Instance[] {
  // Mostly each is on a host of its own, which costs less to see than what else they may differ in.
  if (new Set(instances.map(({ host }) => host)).size === instances.length) return instances;
  const seen = new Set<string>();
  return instances.filter((instance) => {
    const key = identityOf(instance);
    return !seen.has(key) && seen.add(key);
  });
}

/** Why `leader_election` chose nobody. */
export type NoLeader = 'no instance' | 'an instance has no id';

/**
 * The instance with the smallest id. Without a complete order nobody leads: two hosts that see the
 * same instances must never choose two different ones.
 */
export function electLeader(instances: readonly Instance[]): { leader: Instance } | { failure: NoLeader } {
  const [first, ...others] = instances;
  if (first === undefined) return { failure: 'no instance' };
  if (instances.some(({ id }) => id === undefined)) return { failure: 'an instance has no id' };
  return { leader: others.reduce((best, next) => ((next.id ?? 0) < (best.id ?? 0) ? next : best), first) };
}

/** What the source told and takes requests, as the service wants it: kept default servers, port override, no duplicates. */
export function discoveredInstances(
  told: readonly Instance[],
  rules: Pick<CatalogRules, 'keepDefaultServers' | 'defaultServers' | 'backendPortOverride'>,
): readonly Instance[] {
  const { keepDefaultServers, defaultServers, backendPortOverride: port } = rules;
  const takesRequests = told.every(({ available }) => available !== false)
    ? told
    : told.filter(({ available }) => available !== false);
  const all = keepDefaultServers ? [...takesRequests, ...defaultServers] : takesRequests;
  return dedupe(port === undefined ? all : all.map((instance) => ({ ...instance, port })));
}
