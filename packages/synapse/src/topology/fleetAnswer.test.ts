import { describe, expect, it } from 'vitest';
import { fleetAnswer } from './fleetAnswer.js';
import type { HostNode } from './mesh/node.js';
import type { TopologyAnswer, TopologyEdge } from './shapes.js';

const edge = (source: string, destination: string, rps: number | null): TopologyEdge => ({
  ...{ source, destination, identity: 'unit', hosts: 1, onHosts: ['me'], numbersOf: rps === null ? 0 : 1 },
  ...{
    rps,
    successRate: rps === null ? null : 1,
    p95: rps === null ? null : 0.01,
    firstSeen: 1,
    lastSeen: 2,
  },
});
const own = (edges: readonly TopologyEdge[]): TopologyAnswer => ({
  ...{ scope: 'host', now: 5, hasFleet: true, edges, notes: [] },
  hosts: [{ instanceId: 'me', isThis: true, services: ['web'] }],
});
const host = (
  instanceId: string,
  calls: readonly (readonly [string, string])[],
  isCut = false,
): HostNode => ({
  ...{ instanceId, agent: '1', services: ['x'], isCut },
  edges: calls.map(([source, destination]) => ({ source, destination, identity: 'unit' })),
});
const none = { version: 0, malformed: 0, tooLarge: 0, tooMany: 0, unreadable: 0 };
const fleet = (hosts: readonly HostNode[], skipped = {}) => ({
  hosts,
  skipped: { ...none, ...skipped },
  at: 0,
});

describe('who calls whom in a fleet', () => {
  it('is one edge for all hosts, with the numbers of this one', () => {
    const { edges, hosts, scope } = fleetAnswer(
      own([edge('web', 'orders', 3), edge('web', 'db', 1)]),
      fleet([
        host('a', [
          ['web', 'orders'],
          ['api', 'db'],
        ]),
        host('b', [['web', 'orders']]),
      ]),
    );
    expect([scope, hosts.map(({ instanceId }) => instanceId)]).toEqual(['fleet', ['me', 'a', 'b']]);
    expect(edges).toMatchObject([
      { source: 'api', destination: 'db', hosts: 1, onHosts: ['a'], numbersOf: 0, rps: null, p95: null },
      { source: 'web', destination: 'db', hosts: 1, rps: 1, p95: 0.01 },
      {
        source: 'web',
        destination: 'orders',
        hosts: 3,
        onHosts: ['me', 'a', 'b'],
        numbersOf: 1,
        rps: 3,
        p95: null,
      },
    ]);
  });

  it('believes this host itself, not what stands under its name', () => {
    const { edges, hosts } = fleetAnswer(own([]), fleet([host('me', [['evil', 'orders']])]));
    expect([edges, hosts.length]).toEqual([[], 1]);
  });

  it('counts a host that repeats itself once', () => {
    expect(
      fleetAnswer(
        own([]),
        fleet([
          host('a', [
            ['x', 'y'],
            ['x', 'y'],
          ]),
        ]),
      ).edges,
    ).toMatchObject([{ hosts: 1 }]);
  });

  it('says what is missing', () => {
    expect(fleetAnswer(own([]), undefined).notes).toEqual(['the fleet was not read yet']);
    const { notes, skipped } = fleetAnswer(own([]), {
      ...fleet([host('a', [], true)], { version: 2 }),
      problem: 'lost',
    });
    expect(notes).toEqual([
      'the fleet cannot be read now: lost',
      'without the nodes of 2 hosts written by a newer agent',
      '1 hosts have more edges than they tell',
    ]);
    expect(skipped?.version).toBe(2);
  });
});
