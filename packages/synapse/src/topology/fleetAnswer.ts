import type { HostNode } from './mesh/node.js';
import type { Fleet } from './mesh/reader.js';
import type { TopologyAnswer, TopologyEdge, TopologyHost } from './shapes.js';

/** So many hosts of an edge are named. */
const maxNamed = 10;

/** The edges of one host, with numbers where they are known. */
interface Told {
  readonly instanceId: string;
  readonly edges: readonly Pick<
    TopologyEdge,
    'source' | 'destination' | 'identity' | 'rps' | 'successRate' | 'p95' | 'firstSeen' | 'lastSeen'
  >[];
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** One edge for each caller and service, however many hosts have it. Numbers are those of the hosts that told any. */
function merged(hosts: readonly Told[]): readonly TopologyEdge[] {
  const groups = new Map<string, { on: string[]; edges: Told['edges'][number][] }>();
  for (const { instanceId, edges } of hosts) {
    for (const edge of edges) {
      const key = JSON.stringify([edge.source, edge.destination, edge.identity]);
      const group = groups.get(key) ?? { on: [], edges: [] };
      groups.set(key, group);
      if (group.on.at(-1) === instanceId) continue;
      group.on.push(instanceId);
      group.edges.push(edge);
    }
  }
  return [...groups.values()]
    .flatMap(({ on, edges }): TopologyEdge[] => {
      const [first] = edges;
      if (first === undefined) return [];
      const { source, destination, identity } = first;
      const counted = edges.filter(({ rps }) => rps !== null);
      const rps = counted.reduce((sum, edge) => sum + (edge.rps ?? 0), 0);
      const rated = counted.filter(({ successRate }) => successRate !== null);
      const weight = rated.reduce((sum, edge) => sum + (edge.rps ?? 0), 0);
      const success = rated.reduce((sum, edge) => sum + (edge.rps ?? 0) * (edge.successRate ?? 0), 0);
      const seen = edges.find(({ lastSeen }) => lastSeen !== undefined);
      return [
        {
          ...{ source, destination, identity, hosts: on.length, onHosts: on.slice(0, maxNamed) },
          ...(seen?.firstSeen !== undefined && { firstSeen: seen.firstSeen }),
          ...(seen?.lastSeen !== undefined && { lastSeen: seen.lastSeen }),
          numbersOf: counted.length,
          rps: counted.length === 0 ? null : rps,
          successRate: weight === 0 ? null : success / weight,
          p95: edges.length === 1 ? first.p95 : null,
        },
      ];
    })
    .sort((a, b) => order(a.destination, b.destination) || order(a.source, b.source));
}

function withoutNumbers({ instanceId, edges }: HostNode): Told {
  return { instanceId, edges: edges.map((edge) => ({ ...edge, rps: null, successRate: null, p95: null })) };
}

function hostOf({ instanceId, zone, agent, services }: HostNode): TopologyHost {
  return { ...{ instanceId, isThis: false, agent, services }, ...(zone !== undefined && { zone }) };
}

/** What a fleet comes to, for people. */
function notesOf({ hosts, problem, skipped }: Fleet): readonly string[] {
  const cut = hosts.filter(({ isCut }) => isCut).length;
  const { version, malformed, tooLarge, tooMany, unreadable } = skipped;
  const all = [
    [version, 'written by a newer agent'],
    [malformed, 'that make no sense'],
    [tooLarge, 'that are too large'],
    [tooMany, 'beyond as many as are read'],
    [unreadable, 'that may not be read'],
  ] as const;
  return [
    ...(problem === undefined ? [] : [`the fleet cannot be read now: ${problem}`]),
    ...all.flatMap(([count, why]) => (count === 0 ? [] : [`without the nodes of ${count} hosts ${why}`])),
    ...(cut === 0 ? [] : [`${cut} hosts have more edges than they tell`]),
  ];
}

/** Who calls whom in a fleet: what its hosts tell, and what this one knows itself. */
export function fleetAnswer(own: TopologyAnswer, fleet: Fleet | undefined): TopologyAnswer {
  const [self] = own.hosts;
  const others = (fleet?.hosts ?? []).filter(({ instanceId }) => instanceId !== self?.instanceId);
  const told: Told[] = [
    ...(self === undefined ? [] : [{ instanceId: self.instanceId, edges: own.edges }]),
    ...others.map(withoutNumbers),
  ];
  return {
    ...{ ...own, scope: 'fleet', edges: merged(told) },
    hosts: [...own.hosts, ...others.map(hostOf)],
    ...(fleet && { skipped: fleet.skipped }),
    notes: [...own.notes, ...(fleet === undefined ? ['the fleet was not read yet'] : notesOf(fleet))],
  };
}
