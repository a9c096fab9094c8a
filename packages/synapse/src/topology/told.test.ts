import { describe, expect, it } from 'vitest';
import { latencyBuckets } from '../traffic/latency.js';
import type { Counts } from './counts.js';
import { edgesOf, servicesOf, type Told } from './told.js';

/** Responses, all in one bucket of the histogram. */
const counts = (service: string, requests: number, bucket: number, more: Partial<Counts> = {}): Counts => ({
  ...{ service, seconds: 60, requests, success: requests, failure: 0 },
  latencies: Array.from({ length: latencyBuckets }, (_, index) => (index === bucket ? requests : 0)),
  ...more,
});
const host = (
  instanceId: string,
  calls: readonly (readonly [source: string, destination: string])[],
  counted?: readonly Counts[],
): Told => ({
  instanceId,
  edges: calls.map(([source, destination]) => ({ source, destination, identity: 'unit' })),
  counts: counted && new Map(counted.map((each) => [each.service, each])),
});
const call = ['web', 'orders'] as const;

describe('the numbers of several hosts', () => {
  it('are added up, and percentiles are those of all responses', () => {
    const told = [
      // 95 of 100 took up to 0.5 ms, 5 of 10 s and more: the 95th percentile of both is that of the fast ones, just so.
      host('a', [call], [counts('orders', 950, 0)]),
      host(
        'b',
        [call],
        [counts('orders', 50, latencyBuckets - 1, { success: 25, failure: 25, seconds: 30 })],
      ),
    ];
    const [edge] = edgesOf(told);
    expect(edge).toMatchObject({ hosts: 2, numbersOf: 2, successRate: 0.975, p95: 0.0005 });
    expect(edge?.rps).toBeCloseTo(950 / 60 + 50 / 30);
    const [service] = servicesOf(told);
    expect(service).toMatchObject({ service: 'orders', hosts: 2, numbersOf: 2, successRate: 0.975, p99: 10 });
  });

  it('are those of the hosts that told any', () => {
    const told = [host('a', [call], [counts('orders', 60, 4)]), host('b', [call]), host('c', [call], [])];
    expect(edgesOf(told)).toMatchObject([{ hosts: 3, numbersOf: 1, rps: 1, onHosts: ['a', 'b', 'c'] }]);
    expect(edgesOf(told.slice(1))).toMatchObject([{ numbersOf: 0, rps: null, successRate: null, p95: null }]);
  });

  it('are of no edge where several call a service on a host, and of the service all the same', () => {
    const told = [
      host('a', [call, ['api', 'orders']], [counts('orders', 600, 4)]),
      host('b', [call], [counts('orders', 60, 4)]),
    ];
    expect(edgesOf(told)).toMatchObject([
      { source: 'api', numbersOf: 0, rps: null },
      { source: 'web', hosts: 2, numbersOf: 1, rps: 1 },
    ]);
    expect(servicesOf(told)).toMatchObject([{ hosts: 2, numbersOf: 2, rps: 11 }]);
  });

  it('have percentiles of whoever counts latencies, and no rate of what was not observed', () => {
    const told = [
      host('a', [call], [counts('orders', 60, 0, { latencies: null })]),
      host('b', [call], [counts('orders', 60, 0, { seconds: 0 })]),
    ];
    expect(edgesOf(told)).toMatchObject([{ numbersOf: 2, rps: 1 }]);
    expect(edgesOf(told)[0]?.p95).toBeCloseTo(0.000475);
    expect(edgesOf([told[0]!])).toMatchObject([{ p95: null, successRate: 1 }]);
  });

  it('count a host that repeats itself once', () => {
    expect(edgesOf([host('a', [call, call], [counts('orders', 60, 0)])])).toMatchObject([{ hosts: 1 }]);
  });
});
