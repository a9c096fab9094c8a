import { describe, expect, it } from 'vitest';
import type { ServiceLine } from '../../explain/shapes.js';
import { latencyBuckets } from '../../traffic/latency.js';
import type { ServiceTraffic, TrafficSummary } from '../../traffic/shapes.js';
import { chosen, hasTrouble, rowsOf, stateOf, totalOf } from './rows.js';

const line = (service: string, more: Partial<ServiceLine> = {}): ServiceLine => ({
  ...{ service, source: 'live', staleMs: 0, discovered: 2, held: 0, instances: 2, problems: 0 },
  ...{ servers: 2, takesTraffic: 2, ...more },
});
const traffic = (service: string, summary: Partial<TrafficSummary> = {}): ServiceTraffic => ({
  service,
  ...{ mode: 'http', open: 0 },
  summary: {
    rps: 0,
    success: 0,
    failure: 0,
    successRate: null,
    p50: null,
    latencies: null,
    ...summary,
  } as TrafficSummary,
});
const all = { filter: '', sort: 'service', down: false, trouble: false };
const names = (...args: Parameters<typeof chosen>) => chosen(...args).map(({ name }) => name);

describe('rows', () => {
  it('are all that either answer has', () => {
    const rows = rowsOf([line('a'), line('__proto__')], [traffic('b'), traffic('a')]);
    expect(rows.map((row) => [row.name, row.line?.service, row.traffic?.service])).toEqual([
      ['a', 'a', 'a'],
      ['__proto__', '__proto__', undefined],
      ['b', undefined, 'b'],
    ]);
  });

  it('are filtered by every word, in names, states and modes', () => {
    const rows = rowsOf([line('web-eu'), line('web-us', { source: 'stale' }), line('db')], []);
    expect(names(rows, { ...all, filter: 'WEB' })).toEqual(['web-eu', 'web-us']);
    expect(names(rows, { ...all, filter: 'stale  web' })).toEqual(['web-us']);
    expect(names(rows, { ...all, trouble: true })).toEqual(['web-us']);
  });

  it('are sorted, equal ones by name, and what is not known last, either way', () => {
    const rows = rowsOf(
      [],
      [traffic('c', { p50: 1 }), traffic('b'), traffic('d', { p50: 2 }), traffic('a', { p50: 1 })],
    );
    expect(names(rows, { ...all, sort: 'p50' })).toEqual(['a', 'c', 'd', 'b']);
    expect(names(rows, { ...all, sort: 'p50', down: true })).toEqual(['d', 'a', 'c', 'b']);
    expect(names(rows, { ...all, sort: 'no such column' })).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('trouble', () => {
  const troubled = (more: Partial<ServiceLine>, summary: Partial<TrafficSummary> = {}) =>
    rowsOf([line('a', more)], [traffic('a', summary)]).every(hasTrouble);

  it('is what somebody should look at', () => {
    expect(troubled({})).toBe(false);
    expect(troubled({}, { successRate: 0.995 })).toBe(false);
    expect(troubled({}, { successRate: 0.98 })).toBe(true);
    expect(troubled({ takesTraffic: 1 })).toBe(true);
    expect(troubled({ reason: 'x' })).toBe(true);
    expect(troubled({ held: 1 })).toBe(true);
    expect(troubled({ source: 'default' })).toBe(true);
  });

  it('has a word', () => {
    expect(stateOf(undefined)).toEqual({ word: 'unknown', level: 'none' });
    expect(stateOf(line('a', { takesTraffic: 0 }))).toEqual({ word: 'live', level: 'bad' });
    expect(stateOf(line('a', { held: 2, source: 'stale' }))).toEqual({ word: 'held', level: 'fair' });
  });
});

describe('the total', () => {
  it('has percentiles of all responses, not of percentiles', () => {
    const buckets = (bucket: number, value: number) =>
      Array.from({ length: latencyBuckets }, (_, index) => (index === bucket ? value : 0));
    const rows = rowsOf(
      [line('a'), line('b', { takesTraffic: 1 })],
      [
        traffic('a', { rps: 10, success: 990, failure: 0, latencies: buckets(0, 990) }),
        traffic('b', { rps: 1, success: 5, failure: 5, latencies: buckets(12, 10) }),
        traffic('tcp', { rps: 4 }),
      ],
    );
    expect(totalOf(rows)).toMatchObject({
      rps: 15,
      successRate: 0.995,
      takesTraffic: 3,
      servers: 4,
      trouble: 1,
    });
    expect(totalOf(rows).p95).toBeLessThan(0.001);
  });

  it('of nothing is nothing', () => {
    expect(totalOf([])).toMatchObject({ rps: 0, successRate: null, p95: undefined });
  });
});
