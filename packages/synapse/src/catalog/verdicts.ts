import type { Instance } from '@smartstack/registry';

import type { CatalogRules } from './definition.js';
import { maxInstances } from './limit.js';
import { applyFallback, selectInstances } from './resolve.js';
import { dedupe, discoveredInstances, filterByLabels, identityOf } from './select.js';
import type { Snapshot, ViewSource } from './types.js';

/** What became of one instance on its way into the view. */
export interface Verdict {
  /** As the source, or the configuration, has it. */
  readonly told: Instance;
  /** As generators would see it: with the service's port. */
  readonly instance: Instance;
  readonly origin: 'source' | 'default' | 'previous';
  /** Why it is left out; undefined when it is not. */
  readonly leftOut?: string;
}

/** Why instances are in a service's view, or are not, and what stands in for a source that has none. */
export function verdicts(
  snapshot: Snapshot,
  known: readonly Instance[],
  rules: CatalogRules,
): { readonly source: ViewSource; readonly all: readonly Verdict[] } {
  const { source } = applyFallback(snapshot, known, rules);
  const told = snapshot.status === 'pending' ? [] : snapshot.instances;
  const origins: readonly (readonly [Verdict['origin'], readonly Instance[]])[] = [
    ['source', told],
    ...(source === 'previous' ? [['previous', known] as const] : []),
    ...(source === 'default' || source === 'pending' || rules.keepDefaultServers
      ? [['default', rules.defaultServers] as const]
      : []),
  ];
  const seen = new Set<string>();
  const everyone = origins.flatMap(([origin, instances]) =>
    instances.map((one): Verdict => {
      const bare = { ...rules, keepDefaultServers: false };
      // What stands in for the source keeps its own port.
      const ported = origin === 'default' && source !== 'live' && source !== 'stale';
      const instance = ported ? one : (discoveredInstances([one], bare)[0] ?? one);
      const verdict = { told: one, instance, origin };
      if (one.available === false)
        return { ...verdict, leftOut: 'its registrar says that it takes no requests (available: false)' };
      const identity = identityOf(instance);
      const isDouble = seen.has(identity);
      seen.add(identity);
      return isDouble ? { ...verdict, leftOut: 'it is registered twice; the first counts' } : verdict;
    }),
  );
  return { source, all: selected(everyone, rules) };
}

function selected(everyone: readonly Verdict[], rules: CatalogRules): readonly Verdict[] {
  const candidates = dedupe(
    everyone.filter(({ leftOut }) => leftOut === undefined).map((one) => one.instance),
  );
  const { instances, noLeader, leftOut = 0 } = selectInstances(candidates, rules);
  const chosen = new Set(instances);
  const leader = rules.leaderElection ? instances[0] : undefined;
  return everyone.map((one) => {
    if (one.leftOut !== undefined || chosen.has(one.instance)) return one;
    const failing = rules.labelFilters.find(
      (filter) => filterByLabels([one.instance], [filter]).length === 0,
    );
    if (failing !== undefined) {
      const { label, value, condition } = failing;
      const labels = one.instance.labels ?? {};
      const has = Object.hasOwn(labels, label) ? JSON.stringify(labels[label]) : 'absent';
      const verb = condition === 'equals' ? 'has to be' : 'must not be';
      return { ...one, leftOut: `label_filters: ${label} is ${has} and ${verb} ${JSON.stringify(value)}` };
    }
    if (leftOut > 0) return { ...one, leftOut: `a service has ${maxInstances} instances at most` };
    const why =
      leader !== undefined
        ? `leader_election: ${leader.host}:${leader.port} leads, with the id ${String(leader.id)}`
        : `leader_election: nobody leads (${noLeader ?? 'unknown'})`;
    return { ...one, leftOut: why };
  });
}
