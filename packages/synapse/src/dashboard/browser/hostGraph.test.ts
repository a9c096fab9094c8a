import { describe, expect, it } from 'vitest';
import type { TopologyEdge } from '../../topology/shapes.js';
import type { ServiceTraffic } from '../../traffic/shapes.js';
import { hostGraph } from './hostGraph.js';

const traffic = (service: string, rps: number) =>
  ({ service, mode: 'http', open: 0, summary: { rps, successRate: 1 } }) as unknown as ServiceTraffic;
const call = (source: string, destination: string, identity: TopologyEdge['identity']): TopologyEdge => ({
  ...{ source, destination, identity, hosts: 1, onHosts: [], numbersOf: 0 },
  ...{ rps: null, successRate: null, p95: null },
});
const draw = (calls: readonly TopologyEdge[]) => {
  const { nodes, edges } = hostGraph('vm', [traffic('web', 4), traffic('api', 2)], [], new Map(), calls);
  return {
    callers: nodes.filter(({ kind }) => kind === 'caller' || kind === 'host').map(({ label }) => label),
    edges: edges.map(({ from, to, rps }) => `${from} ${to} ${rps}`),
  };
};

describe('the graph of a host', () => {
  it('has the host as the caller of whatever nobody else is known to call', () => {
    expect(draw([call('host:vm', 'web', 'host'), call('www', 'api', 'user')])).toEqual({
      callers: ['www', 'vm'],
      edges: ['caller/www service/api 2', 'host service/web 4'],
    });
  });

  it('divides no numbers among several callers, and leaves the host out where all are known', () => {
    const calls = [call('www', 'api', 'user'), call('cron', 'api', 'unit'), call('cron', 'web', 'unit')];
    expect(draw(calls)).toEqual({
      callers: ['www', 'cron'],
      edges: ['caller/www service/api null', 'caller/cron service/api null', 'caller/cron service/web 4'],
    });
  });
});
