import { byText } from '@smartstack/agent';
import { latencyBuckets, quantile } from '../traffic/latency.js';
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

/** What some hosts counted, together: percentiles of all their responses, not averages of percentiles. */
function numbersOf(counted: readonly Counts[]) {
  let [rps, success, failure] = [0, 0, 0];
  const latencies = new Array<number>(latencyBuckets).fill(0);
  for (const one of counted) {
    if (one.seconds > 0) rps += one.requests / one.seconds;
    success += one.success;
    failure += one.failure;
    if (one.latencies === null) continue;
    for (let bucket = 0; bucket < latencyBuckets; bucket += 1)
      latencies[bucket] = (latencies[bucket] ?? 0) + (one.latencies[bucket] ?? 0);
  }
  return {
    numbersOf: counted.length,
    rps: counted.length === 0 ? null : rps,
    successRate: success + failure === 0 ? null : success / (success + failure),
    latencies,
    p95: quantile(latencies, 0.95) ?? null,
  };
}

/** The services of which a host knows who calls: HAProxy counts by service, not by caller. */
function singleCallers(edges: readonly HostEdge[]): ReadonlySet<string> {
  const [single, several] = [new Set<string>(), new Set<string>()];
  for (const { destination } of edges) {
    if (!several.has(destination) && single.has(destination)) several.add(destination);
    single.add(destination);
  }
  for (const service of several) single.delete(service);
  return single;
}

/** An edge on some hosts. */
interface Group {
  readonly edge: ToldEdge;
  readonly on: string[];
  readonly counts: Counts[];
  /** As this host saw it. */
  seen: ToldEdge | undefined;
}

/** By service, caller and identity: in a large fleet there are many, so that no text is made of them. */
class Groups {
  readonly #all = new Map<string, Map<string, Group[]>>();

  of(edge: ToldEdge): Group {
    const { source, destination, identity } = edge;
    const callers = this.#all.get(destination) ?? new Map<string, Group[]>();
    if (callers.size === 0) this.#all.set(destination, callers);
    const groups = callers.get(source) ?? [];
    if (groups.length === 0) callers.set(source, groups);
    const known = groups.find((group) => group.edge.identity === identity);
    if (known !== undefined) return known;
    const made: Group = { edge, on: [], counts: [], seen: undefined };
    groups.push(made);
    return made;
  }

  /** In the order of services and callers. */
  *[Symbol.iterator](): Iterator<Group> {
    for (const service of [...this.#all.keys()].sort(byText)) {
      const callers = this.#all.get(service) ?? new Map<string, Group[]>();
      for (const caller of [...callers.keys()].sort(byText)) yield* callers.get(caller) ?? [];
    }
  }
}

/** One edge for each caller and service, however many hosts have it. Numbers are those of the hosts that told any. */
export function edgesOf(hosts: readonly Told[]): readonly TopologyEdge[] {
  const groups = new Groups();
  for (const { instanceId, edges, counts } of hosts) {
    const single = singleCallers(edges);
    for (const edge of edges) {
      const group = groups.of(edge);
      if (group.on.at(-1) === instanceId) continue;
      group.on.push(instanceId);
      if (edge.lastSeen !== undefined) group.seen ??= edge;
      const counted = single.has(edge.destination) ? counts?.get(edge.destination) : undefined;
      if (counted !== undefined) group.counts.push(counted);
    }
  }
  // Spelled out, as there may be tens of thousands.
  const found: TopologyEdge[] = [];
  for (const { edge, on, counts, seen } of groups) {
    const { numbersOf: told, rps, successRate, p95 } = numbersOf(counts);
    const one: TopologyEdge = {
      source: edge.source,
      destination: edge.destination,
      identity: edge.identity,
      hosts: on.length,
      onHosts: on.slice(0, maxNamed),
      numbersOf: told,
      rps,
      successRate,
      p95,
    };
    if (seen !== undefined) [one.firstSeen, one.lastSeen] = [seen.firstSeen, seen.lastSeen];
    found.push(one);
  }
  return found;
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
    .sort(([a], [b]) => byText(a, b))
    .map(([service, { hosts: on, counts }]) => {
      const { latencies, ...numbers } = numbersOf(counts);
      const [p50, p99] = [quantile(latencies, 0.5) ?? null, quantile(latencies, 0.99) ?? null];
      return { service, hosts: on, ...numbers, p50, p99 };
    });
}
