import { describe, expect, it } from 'vitest';
import type { TopologyAnswer, TopologyEdge } from '../topology/shapes.js';
import { dotOf, edgesTable, graphOf } from './edges.js';

const edge = (source: string, destination: string, given: Partial<TopologyEdge> = {}): TopologyEdge => ({
  ...{ source, destination, identity: 'user', hosts: 1, onHosts: ['vm-1'], numbersOf: 1 },
  ...{ rps: 2, successRate: 0.5, p95: 0.01, firstSeen: 0, lastSeen: 50_000 },
  ...given,
});
const answer = (edges: readonly TopologyEdge[]): TopologyAnswer => ({
  ...{ scope: 'host', now: 60_000, hasFleet: false, edges, notes: ['only half'] },
  hosts: [{ instanceId: 'vm-1', isThis: true, services: ['web'] }],
});

describe('synapse edges', () => {
  it('shows what is known, and a dash for what is not', () => {
    const unknown = { rps: null, successRate: null, p95: null, hosts: 12, numbersOf: 0 };
    const lines = edgesTable(answer([edge('web', 'orders'), edge('www', 'db', unknown)]), false, undefined);
    expect(lines.map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
      'SRC DST HOSTS RPS SUCCESS P95 IDENTITY',
      'web orders 1 2.0 50.00% 10ms user',
      'www db 12 - - - user',
      'note: only half',
    ]);
  });

  it('shows when and where they were seen on a wide screen', () => {
    const [, line] = edgesTable(answer([edge('web', 'orders', { hosts: 3 })]), true, undefined);
    expect(line?.replaceAll(/ +/g, ' ')).toBe('web orders 3 2.0 50.00% 10ms user 10s 1m 1/3 vm-1,…');
  });
});

describe('synapse graph', () => {
  it('has each name once: as a service where it is called or registered', () => {
    const { nodes, edges } = graphOf(
      answer([edge('web', 'orders'), edge('www', 'orders'), edge('web', 'orders', { identity: 'unit' })]),
    );
    expect(nodes.map(({ id, kind }) => `${id} ${kind}`)).toEqual([
      'orders service',
      'web service',
      'www caller',
    ]);
    expect(edges).toHaveLength(3);
  });

  it('is text for Graphviz, whatever a name holds', () => {
    const hostile = 'a"]; system("x")\\\n';
    const lines = dotOf(graphOf(answer([edge(hostile, 'orders', { hosts: 2 })])));
    expect(lines.slice(3)).toEqual([
      '  "a\\"]; system(\\"x\\")\\\\ " [style=dashed];',
      '  "orders";',
      '  "a\\"]; system(\\"x\\")\\\\ " -> "orders" [label="2.0/s, 2 hosts"];',
      '}',
    ]);
  });
});
