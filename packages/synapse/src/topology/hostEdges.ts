import type { TrafficAnswer } from '../traffic/shapes.js';
import type { TopologyEdge } from './shapes.js';
import type { Edge } from './types.js';

/** The edges of one host, with numbers where a service has one caller: HAProxy counts by service. */
export function hostEdges(
  instanceId: string,
  edges: readonly Edge[],
  traffic: TrafficAnswer | undefined,
): readonly TopologyEdge[] {
  const summaries = new Map(traffic?.services.map(({ service, summary }) => [service, summary]));
  const callers = new Map<string, number>();
  for (const { service } of edges) callers.set(service, (callers.get(service) ?? 0) + 1);
  return edges.map(({ caller, service, firstSeen, lastSeen }) => {
    const summary = callers.get(service) === 1 ? summaries.get(service) : undefined;
    return {
      ...{ source: caller.name, destination: service, identity: caller.identity },
      ...{ hosts: 1, onHosts: [instanceId], firstSeen, lastSeen },
      numbersOf: summary === undefined ? 0 : 1,
      rps: summary?.rps ?? null,
      successRate: summary?.successRate ?? null,
      p95: summary?.p95 ?? null,
    };
  });
}
