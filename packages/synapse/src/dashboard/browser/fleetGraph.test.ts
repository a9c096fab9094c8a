import { describe, expect, it } from 'vitest';
import type { TopologyAnswer, TopologyEdge } from '../../topology/shapes.js';
import { fleetGraph } from './fleetGraph.js';
import { fleetLegend } from './fleetLegend.js';

const edge = (source: string, destination: string, given: Partial<TopologyEdge> = {}): TopologyEdge => ({
  ...{ source, destination, identity: 'user', hosts: 1, onHosts: [], numbersOf: 0 },
  ...{ rps: null, successRate: null, p95: null },
  ...given,
});
const answer = (edges: readonly TopologyEdge[]): TopologyAnswer => ({
  ...{ scope: 'fleet', now: 0, edges, notes: [], hasFleet: true },
  hosts: [{ instanceId: 'a', isThis: true, services: ['shop'] }],
});

describe('the graph of a fleet', () => {
  it('has services and callers, each name once, and links to the services of this host', () => {
    const { nodes, edges } = fleetGraph(
      answer([
        edge('shop', 'orders', { hosts: 3, rps: 4, successRate: 0.5 }),
        edge('shop', 'orders', { identity: 'unit', hosts: 2, rps: 1, successRate: 1 }),
        edge('cron', 'orders', { identity: 'unit' }),
      ]),
      new Set(['orders']),
    );
    expect(nodes.map(({ id, kind, note, href }) => [id, kind, note, href])).toEqual([
      ['cron', 'caller', 'systemd unit', undefined],
      ['orders', 'service', '3 callers', '#/service/orders'],
      ['shop', 'service', 'calls 2', undefined],
    ]);
    expect(nodes[1]?.success).toBeCloseTo(0.6);
    expect(edges).toEqual([
      { from: 'shop', to: 'orders', rps: 5, success: 0.6, weight: 5, note: '5 hosts, 5.0 rps' },
      { from: 'cron', to: 'orders', rps: null, success: null, weight: 1, note: '1 host' },
    ]);
  });

  it('leaves out who is on the fewest hosts where there are too many', () => {
    const many = Array.from({ length: 300 }, (_, index) => edge(`c${index}`, 's', { hosts: index + 1 }));
    const { nodes, edges } = fleetGraph(answer(many), new Set());
    expect([nodes.length, edges.length]).toEqual([160, 159]);
    expect(edges.some(({ from }) => from === 'c299')).toBe(true);
  });

  it('is as thick as what passes there, where other hosts tell, and says of how many', () => {
    const told = {
      ...answer([edge('shop', 'orders', { hosts: 3, rps: 4 })]),
      hosts: [
        { instanceId: 'a', isThis: true, services: [] },
        { instanceId: 'b', isThis: false, services: [], numbersAt: 5 },
        { instanceId: 'c', isThis: false, services: [], problem: 'no answer within 2 s' },
      ],
    };
    expect(fleetGraph(told, new Set()).edges).toEqual([
      { from: 'shop', to: 'orders', rps: 4, success: null, note: '3 hosts, 4.0 rps' },
    ]);
    const orders = { service: 'orders', hosts: 3, numbersOf: 2, rps: 44, successRate: 0.25 };
    const services = [{ ...orders, p50: null, p95: null, p99: null }];
    const [node] = fleetGraph({ ...told, services }, new Set()).nodes;
    expect([node?.note, node?.success]).toEqual(['44.0 rps · 1 caller', 0.25]);
    expect(fleetLegend(told)).toBe(
      '3 hosts in the last 15 minutes: width by requests of 2 of them over the last minute, colour by success',
    );
    expect(fleetLegend({ ...told, hosts: told.hosts.slice(0, 2) })).toContain('width by requests over');
  });

  it('says how old it is', () => {
    const stale = {
      ...answer([]),
      now: 300_000,
      fleet: { isStale: true, readAt: 120_000, hasNumbers: false },
    };
    expect(fleetLegend(stale)).toBe(
      '1 host in the last 15 minutes, as of 3 min ago: width by hosts, colour by success',
    );
    const unread = { isStale: true, hasNumbers: false };
    expect(fleetLegend({ ...stale, fleet: unread })).toContain(', not read yet: width');
    expect(fleetLegend({ ...stale, fleet: { ...stale.fleet, isStale: false } })).not.toContain('as of');
  });
});
