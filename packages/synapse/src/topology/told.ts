import { quantile } from '../traffic/latency.js';
import type { Counts, ServiceCounts } from './counts.js';
import type { HostEdge } from './mesh/node.js';
import type { FleetService, TopologyEdge } from './shapes.js';

/** So many hosts of an edge are named. */
const maxNamed = 10;

/** An edge as a host tells it. */
type ToldEdge = HostEdge & Pick<TopologyEdge, 'firstSeen' | 'lastSeen'>;

/** What one host tells. */
export interface Told {
  readonly instanceId: string;
  readonly edges: readonly ToldEdge[];
  /** Undefined where nothing is known of its traffic. */
  readonly counts: ServiceCounts | undefined;
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** What some hosts counted, together: percentiles of all their responses, not averages of percentiles. */
function numbersOf(counted: readonly Counts[]) {
  const sum = (of: (one: Counts) => number): number => counted.reduce((total, one) => total + of(one), 0);
  const [success, failure] = [sum((one) => one.success), sum((one) => one.failure)];
  const latencies: number[] = [];
  for (const one of counted)
    one.latencies?.forEach((count, bucket) => (latencies[bucket] = (latencies[bucket] ?? 0) + count));
  return {
    numbersOf: counted.length,
    rps: counted.length === 0 ? null : sum(({ requests, seconds }) => (seconds > 0 ? requests / seconds : 0)),
    successRate: success + failure === 0 ? null : success / (success + failure),
    latencies,
    p95: quantile(latencies, 0.95) ?? null,
  };
}

/** The services of which a host knows who calls: HAProxy counts by service, not by caller. */
function singleCallers(edges: readonly HostEdge[]): ReadonlySet<string> {
  const callers = new Map<string, number>();
  for (const { destination } of edges) callers.set(destination, (callers.get(destination) ?? 0) + 1);
  return new Set([...callers].flatMap(([service, count]) => (count === 1 ? [service] : [])));
}

/** One edge for each caller and service, however many hosts have it. Numbers are those of the hosts that told any. */
export function edgesOf(hosts: readonly Told[]): readonly TopologyEdge[] {
  const groups = new Map<string, { on: string[]; counts: Counts[]; edges: ToldEdge[] }>();
  for (const { instanceId, edges, counts } of hosts) {
    const single = singleCallers(edges);
    for (const edge of edges) {
      const key = JSON.stringify([edge.source, edge.destination, edge.identity]);
      const group = groups.get(key) ?? { on: [], counts: [], edges: [] };
      groups.set(key, group);
      if (group.on.at(-1) === instanceId) continue;
      group.on.push(instanceId);
      group.edges.push(edge);
      const counted = single.has(edge.destination) ? counts?.get(edge.destination) : undefined;
      if (counted !== undefined) group.counts.push(counted);
    }
  }
  return [...groups.values()]
    .flatMap(({ on, edges, counts }): TopologyEdge[] => {
      const [first] = edges;
      if (first === undefined) return [];
      const { source, destination, identity } = first;
      const seen = edges.find(({ lastSeen }) => lastSeen !== undefined);
      const { numbersOf: told, rps, successRate, p95 } = numbersOf(counts);
      return [
        {
          ...{ source, destination, identity, hosts: on.length, onHosts: on.slice(0, maxNamed) },
          ...(seen?.firstSeen !== undefined && { firstSeen: seen.firstSeen }),
          ...(seen?.lastSeen !== undefined && { lastSeen: seen.lastSeen }),
          ...{ numbersOf: told, rps, successRate, p95 },
        },
      ];
    })
    .sort((a, b) => order(a.destination, b.destination) || order(a.source, b.source));
}

/** Each service that is called, with the numbers of all its callers on all hosts. */
export function servicesOf(hosts: readonly Told[]): readonly FleetService[] {
  const services = new Map<string, { hosts: number; counts: Counts[] }>();
  for (const { edges, counts } of hosts) {
    for (const service of new Set(edges.map(({ destination }) => destination))) {
      const known = services.get(service) ?? { hosts: 0, counts: [] };
      services.set(service, known);
      known.hosts += 1;
      const counted = counts?.get(service);
      if (counted !== undefined) known.counts.push(counted);
    }
  }
  return [...services]
    .sort(([a], [b]) => order(a, b))
    .map(([service, { hosts: on, counts }]) => {
      const { latencies, ...numbers } = numbersOf(counts);
      const [p50, p99] = [quantile(latencies, 0.5) ?? null, quantile(latencies, 0.99) ?? null];
      return { service, hosts: on, ...numbers, p50, p99 };
    });
}
