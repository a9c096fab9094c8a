import type { TopologyAnswer, TopologyEdge } from '../../topology/shapes.js';
import { counted, rate } from './format.js';
import type { Graph, GraphEdge, GraphNode } from './graph.js';
import { addressOf } from './place.js';

/** So many names are drawn, those with most hosts first; all edges are in the table. */
const maxNodes = 160;

/** How it is known who calls, for people. */
export const identityNames: Readonly<Record<TopologyEdge['identity'], string>> = {
  declared: 'configuration',
  listener: "service's user",
  unit: 'systemd unit',
  user: 'user',
  'only-service': 'only service there',
  host: 'host only',
  unknown: 'not visible',
};

/** Whether other hosts told how much passes there, so that this can be drawn. */
export function hasNumbers({ hosts }: TopologyAnswer): boolean {
  return hosts.some(({ numbersAt }) => numbersAt !== undefined);
}

/** Who calls whom, as a graph: those who call under several identities are one node. `local` are the services of this host. */
export function fleetGraph(answer: TopologyAnswer, local: ReadonlySet<string>): Graph {
  const { edges, hosts } = answer;
  const drawn = namesOf(edges);
  const called = new Map<string, TopologyEdge[]>();
  const callers = new Map<string, TopologyEdge[]>();
  for (const edge of edges) {
    called.set(edge.destination, [...(called.get(edge.destination) ?? []), edge]);
    callers.set(edge.source, [...(callers.get(edge.source) ?? []), edge]);
  }
  const registered = new Set(hosts.flatMap(({ services }) => services));
  const isLive = hasNumbers(answer);
  // With those of hosts where several call a service, which are in no edge.
  const totals = new Map(isLive ? answer.services?.map((each) => [each.service, each]) : []);
  const nodes = [...drawn].sort().map((name): GraphNode => {
    const isService = called.has(name) || registered.has(name);
    const [into = [], out = []] = [called.get(name), callers.get(name)];
    const total = totals.get(name);
    return {
      id: name,
      label: name,
      kind: isService ? 'service' : 'caller',
      note: isService ? serviceNote(into, out, total?.rps) : identityNames[out[0]?.identity ?? 'unknown'],
      success: total?.successRate ?? successOf(into),
      ...(local.has(name) && { href: addressOf({ view: 'service', service: name }) }),
    };
  });
  const merged = new Map<string, TopologyEdge[]>();
  for (const edge of edges) {
    if (!drawn.has(edge.source) || !drawn.has(edge.destination)) continue;
    const key = JSON.stringify([edge.source, edge.destination]);
    merged.set(key, [...(merged.get(key) ?? []), edge]);
  }
  return { nodes, edges: [...merged.values()].map((each) => drawnEdge(each, isLive)) };
}

/** The edges of one caller to one service, of several identities perhaps, as one. */
function drawnEdge(edges: readonly TopologyEdge[], isLive: boolean): GraphEdge {
  const [first] = edges;
  const rates = edges.flatMap(({ rps }) => rps ?? []);
  const rps = rates.length === 0 ? null : rates.reduce((sum, each) => sum + each, 0);
  const hosts = edges.reduce((sum, { hosts: count }) => sum + count, 0);
  return {
    ...{ from: first?.source ?? '', to: first?.destination ?? '', rps, success: successOf(edges) },
    // How many hosts is known of all edges; without the others' numbers, what passes there of few.
    ...(!isLive && { weight: hosts }),
    note: `${counted(hosts, 'host')}${rps === null ? '' : `, ${rate(rps)} rps`}`,
  };
}

function namesOf(edges: readonly TopologyEdge[]): ReadonlySet<string> {
  const weights = new Map<string, number>();
  for (const { source, destination, hosts } of edges)
    for (const name of [source, destination]) weights.set(name, (weights.get(name) ?? 0) + hosts);
  const first = [...weights].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, maxNodes);
  return new Set(first.map(([name]) => name));
}

function serviceNote(
  into: readonly TopologyEdge[],
  out: readonly TopologyEdge[],
  rps: number | null | undefined,
): string {
  const callers = into.length === 0 ? [] : [counted(into.length, 'caller')];
  // There is room for two.
  if (rps !== null && rps !== undefined) return [`${rate(rps)} rps`, ...callers].join(' · ');
  const parts = [...callers, ...(out.length === 0 ? [] : [`calls ${out.length}`])];
  return parts.join(' · ') || 'service';
}

/** Of all calls whose numbers are known, weighed by how many they are. */
function successOf(edges: readonly TopologyEdge[]): number | null {
  const known = edges.filter(({ rps, successRate }) => rps !== null && successRate !== null);
  const total = known.reduce((sum, { rps }) => sum + (rps ?? 0), 0);
  if (total === 0) return null;
  return known.reduce((sum, { rps, successRate }) => sum + (rps ?? 0) * (successRate ?? 0), 0) / total;
}
