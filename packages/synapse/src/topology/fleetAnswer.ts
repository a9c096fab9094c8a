import type { HostNode } from './mesh/node.js';
import type { Fleet } from './mesh/reader.js';
import type { HostReport } from './numbers/numbers.js';
import type { TopologyAnswer, TopologyHost } from './shapes.js';
import { edgesOf, servicesOf, type Told } from './told.js';

/** So many hosts of a note are named. */
const maxNamed = 3;

/** What a fleet told, and when. */
export interface FleetReading {
  readonly fleet: Fleet;
  /** Of its hosts' numbers, by instance_id; undefined where nobody is asked. */
  readonly reports: ReadonlyMap<string, HostReport> | undefined;
  /** Why this host can neither ask nor tell, or should not. */
  readonly problems?: readonly string[];
  /** What makes wall clock times of monotonic ones. */
  readonly offset: number;
}

/** What a host says itself counts more than its node, which is of some seconds ago. */
function toldBy({ instanceId, edges }: HostNode, report: HostReport | undefined): Told {
  const { numbers } = report ?? {};
  return { instanceId, edges: numbers?.edges ?? edges, counts: numbers?.services };
}

function hostOf(node: HostNode, report: HostReport | undefined, offset: number): TopologyHost {
  const { instanceId, zone, agent, services } = node;
  const { at, problem } = report ?? {};
  return {
    ...{ instanceId, isThis: false, agent, services },
    ...(zone !== undefined && { zone }),
    ...(at !== undefined && { numbersAt: Math.round(at + offset) }),
    ...(problem !== undefined && { problem }),
  };
}

/** What is missing of a fleet, for people. */
function notesOf({ hosts, problem, skipped, ageMs, isStale }: Fleet): readonly string[] {
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
    ...(ageMs === undefined ? ['the fleet was not read yet'] : []),
    ...(problem === undefined ? [] : [`the fleet cannot be read now: ${problem}`]),
    ...(isStale && ageMs !== undefined ? [`the fleet is as it was ${Math.round(ageMs / 1000)} s ago`] : []),
    ...all.flatMap(([count, why]) => (count === 0 ? [] : [`without the nodes of ${count} hosts ${why}`])),
    ...(cut === 0 ? [] : [`${cut} hosts have more edges than they tell`]),
  ];
}

/** Whose numbers are missing, or are not of now, by reason. */
function missing(hosts: readonly TopologyHost[]): readonly string[] {
  const reasons = new Map<string, string[]>();
  for (const { instanceId, problem, numbersAt } of hosts) {
    if (problem === undefined) continue;
    const what = `no ${numbersAt === undefined ? '' : 'new '}numbers of`;
    const key = JSON.stringify([what, problem]);
    const known = reasons.get(key);
    if (known) known.push(instanceId);
    else reasons.set(key, [instanceId]);
  }
  return [...reasons].map(([key, names]) => {
    const [what, why] = JSON.parse(key) as [string, string];
    const more = names.length - maxNamed;
    return `${what} ${names.slice(0, maxNamed).join(', ')}${more > 0 ? ` and ${more} more` : ''}: ${why}`;
  });
}

/** Who calls whom in a fleet: what its hosts tell, and what this one knows itself. */
export function fleetAnswer(
  own: TopologyAnswer,
  self: Told,
  { fleet, reports, problems = [], offset }: FleetReading,
): TopologyAnswer {
  const others = fleet.hosts.filter(({ instanceId }) => instanceId !== self.instanceId);
  const told = [self, ...others.map((node) => toldBy(node, reports?.get(node.instanceId)))];
  const hosts = others.map((node) => hostOf(node, reports?.get(node.instanceId), offset));
  const { ageMs, isStale, problem } = fleet;
  return {
    ...{ ...own, scope: 'fleet', edges: edgesOf(told), services: servicesOf(told) },
    hosts: [...own.hosts, ...hosts],
    skipped: fleet.skipped,
    fleet: {
      ...(ageMs !== undefined && { readAt: Math.round(own.now - ageMs) }),
      isStale,
      ...(problem !== undefined && { problem }),
      hasNumbers: reports !== undefined,
      ...(problems.length > 0 && { numbersProblems: problems }),
    },
    notes: [...own.notes, ...problems, ...notesOf(fleet), ...missing(hosts)],
  };
}
