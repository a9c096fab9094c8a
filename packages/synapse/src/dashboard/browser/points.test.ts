import { describe, expect, it } from 'vitest';
import { latencyBounds } from '../../traffic/latency.js';
import type { ServiceTraffic, TrafficPoint } from '../../traffic/shapes.js';
import { chartsOf, curveOf } from './points.js';
import { serverRows } from './servers.js';

const point = (at: number, requests: number, failure = 0): TrafficPoint => ({
  ...{ at, requests, success: requests - failure, failure, aborted: 0, p50: 0.001, p95: 0.01, p99: 0.02 },
  ...{ bytesIn: 0, bytesOut: 0, retries: 0, open: 0 },
});
const charts = (points: readonly TrafficPoint[], to: number, startedAt = 0, lookedAt = to) =>
  chartsOf(
    {
      ...{ from: to - 60_000, to, lookedAt, slotSeconds: 10, latencyBounds },
      service: { service: 'a', mode: 'http', open: 0, points } as unknown as ServiceTraffic,
    },
    startedAt,
  );

describe('the charts of a service', () => {
  it('have rates of each slot, those that are not over included', () => {
    const { requests } = charts([point(0, 100), point(10_000, 50), point(20_000, 20)], 25_000);
    expect(requests.series[0]?.values).toEqual([10, 5, 4]);
    expect(requests.times).toEqual([5_000, 15_000, 25_000]);
  });

  it('have no dip at their end because HAProxy was not asked since', () => {
    const { requests } = charts([point(0, 100), point(10_000, 30)], 15_000, 0, 13_000);
    expect(requests.series[0]?.values).toEqual([10, 10]);
  });

  it('leave out slots that were hardly looked at, and all before the start', () => {
    const { requests } = charts([point(0, 0), point(10_000, 40), point(20_000, 9)], 21_000, 16_000);
    expect(requests.series[0]?.values).toEqual([10]);
  });

  it('show failures only where there are any', () => {
    const hidden = (failure: number) => charts([point(0, 10, failure)], 10_000).requests.series[1]?.isHidden;
    expect([hidden(0), hidden(1)]).toEqual([true, false]);
    expect(charts([point(0, 10, 1)], 10_000).success.series[0]?.values).toEqual([0.9]);
    expect(charts([point(0, 0)], 10_000).success.series[0]?.values).toEqual([null]);
  });

  it('are empty without points', () => {
    expect(charts([], 10_000).latency).toMatchObject({ times: [], ticks: [0, 0.001] });
  });
});

describe('the servers of a service', () => {
  const why = (server: string, takesTraffic: boolean) => ({ server, takesTraffic, state: 'up', steps: [] });
  const traffic = (server: string, requests: number) =>
    ({ server, summary: { requests } }) as unknown as Parameters<typeof serverRows>[1][number];

  it('have their share; those in rotation first, those that left last', () => {
    const rows = serverRows(
      [why('b', true), why('c', false), why('a', true)],
      [traffic('a', 1), traffic('b', 2), traffic('gone', 1)],
    );
    expect(rows.map(({ name, share }) => [name, share])).toEqual([
      ['a', 0.25],
      ['b', 0.5],
      ['c', undefined],
      ['gone', 0.25],
    ]);
    expect(serverRows([], [traffic('a', 0)])[0]?.share).toBeUndefined();
  });
});

describe('the small curve of a service', () => {
  const curves = {
    ...{ slotSeconds: 10, begins: [0, 10_000, 20_000, 30_000] },
    services: { a: { requests: [0, 5, 6, 1], failures: [0, 0, 2, 0] } },
  };

  it('has the slots that are over, from the start of the agent on', () => {
    expect(curveOf(curves, 'a', 12_000)).toEqual({ requests: [null, 5, 6], failures: [null, 0, 2] });
  });

  it('is empty for whoever has none, whatever the name', () => {
    for (const name of ['b', 'constructor', '__proto__'])
      expect(curveOf(curves, name, 0)).toEqual({ requests: [], failures: [] });
    expect(curveOf(undefined, 'a', 0)).toEqual({ requests: [], failures: [] });
  });
});
