import type { Instance } from '@smartstack/registry';

import type { CatalogRules } from './definition.js';
import { withinLimit } from './limit.js';
import { discoveredInstances, electLeader, filterByLabels, type NoLeader } from './select.js';
import type { GeneratorBlocks, Snapshot, ViewSource } from './types.js';

/** A service's instances after the fallback, before its filters. */
export interface Resolved {
  readonly source: ViewSource;
  readonly instances: readonly Instance[];
}

/** The last instances that the source told, as it told them: an empty snapshot does not make it forget. */
export function rememberKnown(known: readonly Instance[], snapshot: Snapshot): readonly Instance[] {
  return snapshot.status === 'pending' || snapshot.instances.length === 0 ? known : snapshot.instances;
}

/**
 * The fallback of a service: what stands in for instances that nobody told us, or that are none.
 * `known` comes from `rememberKnown`. With default servers or `usePreviousBackends` the result of
 * a service that ever had instances is never empty.
 */
export function applyFallback(snapshot: Snapshot, known: readonly Instance[], rules: CatalogRules): Resolved {
  if (snapshot.status === 'pending') return { source: 'pending', instances: rules.defaultServers };
  const discovered = discoveredInstances(snapshot.instances, rules);
  if (discovered.length > 0) return { source: snapshot.status, instances: discovered };
  if (rules.defaultServers.length > 0) return { source: 'default', instances: rules.defaultServers };
  // Without `known` (an agent that just started) generators may still remember the service.
  if (rules.usePreviousBackends) return { source: 'previous', instances: discoveredInstances(known, rules) };
  return { source: snapshot.status, instances: [] };
}

/** What `selectInstances` chose. */
export interface Selection {
  readonly instances: readonly Instance[];
  /** Why a leader election chose nobody. */
  readonly noLeader?: NoLeader;
  /** More than a service can have. */
  readonly leftOut?: number;
}

/** Those of the resolved instances that should serve. */
export function selectInstances(
  resolved: readonly Instance[],
  rules: Pick<CatalogRules, 'labelFilters' | 'leaderElection'>,
): Selection {
  const filtered = filterByLabels(resolved, rules.labelFilters);
  if (!rules.leaderElection) return withinLimit(filtered);
  const election = electLeader(filtered);
  return 'leader' in election
    ? { instances: [election.leader] }
    : { instances: [], noLeader: election.failure };
}

function isBlock(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Lays the source's generator blocks over the local ones: key by key within a block. */
export function mergeBlocks(local: GeneratorBlocks, told: GeneratorBlocks | undefined): GeneratorBlocks {
  if (told === undefined) return local;
  const laid = Object.entries(told).map(([generator, block]): [string, unknown] => {
    const base = local[generator];
    return [generator, isBlock(base) && isBlock(block) ? { ...base, ...block } : block];
  });
  // Not by assignment: a key of the registry may be `__proto__`.
  return Object.fromEntries([...Object.entries(local), ...laid]);
}
