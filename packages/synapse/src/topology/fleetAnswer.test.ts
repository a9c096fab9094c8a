import { describe, expect, it } from 'vitest';
import type { Counts } from './counts.js';
import { fleetAnswer } from './fleetAnswer.js';
import type { HostEdge, HostNode } from './mesh/node.js';
import type { Fleet } from './mesh/reader.js';
import type { HostReport } from './numbers/numbers.js';
import type { TopologyAnswer } from './shapes.js';
import type { Told } from './told.js';

type Calls = readonly (readonly [source: string, destination: string])[];

const edges = (calls: Calls): readonly HostEdge[] =>
  calls.map(([source, destination]) => ({ source, destination, identity: 'unit' }));
const counts = (requests: number, services: readonly string[]) =>
  new Map(
    services.map((service): [string, Counts] => [
      service,
      { service, seconds: 60, requests, success: requests, failure: 0, latencies: null },
    ]),
  );
const own: TopologyAnswer = {
  ...{ scope: 'host', now: 500_000, hasFleet: true, edges: [], notes: [] },
  hosts: [{ instanceId: 'me', isThis: true, services: ['web'] }],
};
const self = (calls: Calls, requests?: number): Told => ({
  instanceId: 'me',
  edges: edges(calls),
  counts:
    requests === undefined
      ? undefined
      : counts(
          requests,
          calls.map(([, service]) => service),
        ),
});
const host = (instanceId: string, calls: Calls, isCut = false): HostNode => ({
  ...{ instanceId, agent: '1', services: ['x'], isCut },
  edges: edges(calls),
});
const report = (instanceId: string, calls: Calls, requests: number): HostReport => ({
  numbers: {
    ...{ instanceId, edges: edges(calls), isCut: false },
    services: counts(
      requests,
      calls.map(([, service]) => service),
    ),
  },
  at: 1_000,
});
const none = { version: 0, malformed: 0, tooLarge: 0, tooMany: 0, unreadable: 0 };
const fleet = (hosts: readonly HostNode[], more: Partial<Fleet> = {}): Fleet => ({
  ...{ hosts, skipped: none, ageMs: 2_000, isStale: false },
  ...more,
});
const answer = (told: Told, read: Fleet, reports?: ReadonlyMap<string, HostReport>) =>
  fleetAnswer(own, told, { fleet: read, reports, offset: 400_000 });

describe('who calls whom in a fleet', () => {
  it('is one edge for all hosts, with the numbers of this one', () => {
    const read = fleet([
      host('a', [
        ['web', 'orders'],
        ['api', 'db'],
      ]),
      host('b', [['web', 'orders']]),
    ]);
    const told = answer(self([['web', 'orders'], ['web', 'db']], 60), read); // prettier-ignore
    expect([told.scope, told.hosts.map(({ instanceId }) => instanceId)]).toEqual(['fleet', ['me', 'a', 'b']]);
    expect(told.edges).toMatchObject([
      { source: 'api', destination: 'db', hosts: 1, onHosts: ['a'], numbersOf: 0, rps: null, p95: null },
      { source: 'web', destination: 'db', hosts: 1, rps: 1 },
      { source: 'web', destination: 'orders', hosts: 3, onHosts: ['me', 'a', 'b'], numbersOf: 1, rps: 1 },
    ]);
    expect(told.fleet).toEqual({ readAt: 498_000, isStale: false, hasNumbers: false });
    expect(told.notes).toEqual([]);
  });

  it('has the numbers of all hosts that told theirs, and says whose are missing and why', () => {
    const read = fleet(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => host(name, [['web', 'orders']])));
    const told = answer(
      self([['web', 'orders']], 60),
      read,
      new Map<string, HostReport>([
        // Its node is of before it began to call db.
        ['a', report('a', [['web', 'orders'], ['web', 'db']], 120)], // prettier-ignore
        ['b', { ...report('b', [['web', 'orders']], 60), problem: 'no answer within 2 s' }],
        ...['c', 'd', 'e', 'f'].map((name): [string, HostReport] => [name, { problem: 'it offers none' }]),
      ]),
    );
    expect(told.edges).toMatchObject([
      { destination: 'db', hosts: 1, rps: 2 },
      { destination: 'orders', hosts: 7, numbersOf: 3, rps: 4, successRate: 1 },
    ]);
    expect(told.services).toMatchObject([
      { service: 'db', rps: 2 },
      { service: 'orders', hosts: 7, numbersOf: 3, rps: 4 },
    ]);
    expect(told.hosts.slice(1, 4)).toMatchObject([
      { instanceId: 'a', numbersAt: 401_000 },
      { instanceId: 'b', numbersAt: 401_000, problem: 'no answer within 2 s' },
      { instanceId: 'c', problem: 'it offers none' },
    ]);
    expect(told.notes).toEqual([
      'no new numbers of b: no answer within 2 s',
      'no numbers of c, d, e and 1 more: it offers none',
    ]);
    expect(told.fleet?.hasNumbers).toBe(true);
  });

  it('believes this host itself, not what stands under its name', () => {
    const { edges: found, hosts } = answer(self([]), fleet([host('me', [['evil', 'orders']])]));
    expect([found, hosts.length]).toEqual([[], 1]);
  });

  it('says what is missing, and how old it is', () => {
    const unread = answer(self([]), fleet([], { ageMs: undefined, isStale: true }));
    expect(unread.notes).toEqual(['the fleet was not read yet']);
    expect(unread.fleet).toEqual({ isStale: true, hasNumbers: false });
    const {
      notes,
      skipped,
      fleet: state,
    } = answer(
      self([]),
      fleet([host('a', [], true)], {
        ...{ skipped: { ...none, version: 2 }, problem: 'lost', isStale: true, ageMs: 90_000 },
      }),
    );
    expect(notes).toEqual([
      'the fleet cannot be read now: lost',
      'the fleet is as it was 90 s ago',
      'without the nodes of 2 hosts written by a newer agent',
      '1 hosts have more edges than they tell',
    ]);
    expect(skipped?.version).toBe(2);
    expect(state).toEqual({ readAt: 410_000, isStale: true, problem: 'lost', hasNumbers: false });
  });
});
