import { describe, expect, it } from 'vitest';
import type { TrafficSummary } from '../traffic/shapes.js';
import { parseArguments } from './arguments.js';
import { fleetStatTable } from './fleetStat.js';
import { type Stat, statTable } from './stat.js';
import { bytes, durationMs, latency, percent } from './units.js';

const summary: TrafficSummary = {
  ...{
    seconds: 60,
    requests: 1_200,
    rps: 20,
    success: 1_195,
    failure: 5,
    aborted: 2,
    successRate: 1_195 / 1_200,
  },
  ...{
    p50: 0.0034,
    p95: 0.0875,
    p99: 1.234,
    latencies: null,
    unmeasured: null,
    bytesIn: 2_048,
    bytesOut: 5_000_000,
    retries: 3,
  },
  ...{ redispatches: 1, connectErrors: 4, responseErrors: 0, clientAborts: 0, meanDuration: 0.02 },
};
const silent: TrafficSummary = {
  ...summary,
  requests: 7,
  rps: 0.1,
  successRate: null,
  p50: null,
  p95: null,
  p99: null,
};
const stat: Stat = {
  ...{ from: 0, to: 60_000 },
  lines: [
    { name: 'web', up: 2, total: 3, state: 'live', mode: 'http', open: 4, summary },
    {
      name: 'db',
      up: 1,
      total: 1,
      state: 'stale',
      mode: 'tcp',
      open: 9,
      summary: silent,
      noLatencies: 'it is in mode tcp',
    },
    { name: 'new', up: 0, total: 0, state: 'pending', mode: null, open: 0, summary: null },
  ],
};
const cells = (line: string | undefined): readonly string[] => (line ?? '').split(/ {2,}/);

describe('synapse stat', () => {
  it('shows a line for each', () => {
    const [head, web, db, fresh] = statTable(stat, false, undefined).map(cells);
    expect(head?.join(' ')).toBe('NAME UP/TOTAL SUCCESS RPS P50 P95 P99 TCP_CONN RETRIES STATE');
    expect(web).toEqual(['web', '2/3', '99.58%', '20.0', '3.4ms', '88ms', '1.2s', '-', '3', 'live']);
    expect(db).toEqual(['db', '1/1', '-', '0.1', '-', '-', '-', '9', '3', 'stale']);
    expect(fresh).toEqual(['new', '0/0', '-', '-', '-', '-', '-', '-', '-', 'pending']);
  });

  it('has more to say to a wide screen', () => {
    const [, web, db] = statTable(stat, true, undefined).map(cells);
    expect(web?.slice(10)).toEqual(['1200', '5', '2', '4', '2.0KiB', '4.8MiB', '4', '20ms', '-']);
    expect(db?.at(-1)).toBe('no latencies: it is in mode tcp');
  });

  it.each([
    [[], { fromMs: 60_000, toMs: 0 }],
    [['-t', '5m'], { fromMs: 300_000, toMs: 0 }],
    [['--from', '30m', '--to', '20m'], { fromMs: 1_800_000, toMs: 1_200_000 }],
    [['-t', '90s', '--to', '1.5m'], { fromMs: 180_000, toMs: 90_000 }],
  ])('%j is a span', (flags, span) => {
    expect(parseArguments(['stat', 'web', ...flags, '-o', 'wide'], {})).toMatchObject({
      kind: 'ask',
      question: { about: 'stat', target: 'web', span, wide: true },
    });
  });

  it.each([
    [['-t', 'soon'], /--time: expected a duration/],
    [['--from', '1m', '-t', '1m'], /exclude/],
    [['--from', '1m', '--to', '2m'], /before it ends/],
    [['--to', '0', '--from', '0'], /before it ends/],
    [['-t', '61m'], /an hour at most/],
    [['-o', 'yaml'], /yaml/],
    [['--all-hosts', '-t', '5m'], /last minute/],
  ])('%j is a usage error', (flags, message) => {
    const invocation = parseArguments(['stat', ...flags], {});
    expect(invocation.kind).toBe('usage');
    expect('message' in invocation && invocation.message).toMatch(message);
  });
});

describe('synapse stat --all-hosts', () => {
  it('shows each service with all hosts that told of it, and what is missing', () => {
    const orders = { service: 'orders', hosts: 12, numbersOf: 11, rps: 2.5, successRate: 0.5, p50: 0.001, p95: 0.01, p99: 1 }; // prettier-ignore
    const silent = { ...orders, service: 'db', numbersOf: 0, rps: null, successRate: null, p50: null, p95: null, p99: null }; // prettier-ignore
    const told = { now: 0, services: [orders, silent], notes: ['no numbers of \u001b[2Jb: x'] };
    expect(fleetStatTable(told, true, undefined).map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
      'NAME HOSTS SUCCESS RPS P50 P95 P99 TOLD BY',
      'orders 12 50.00% 2.5 1.0ms 10ms 1.0s 11/12',
      'db 12 - - - - - 0/12',
      expect.stringMatching(/^note: no numbers of [^\u001b]*b: x$/),
    ]);
    expect(parseArguments(['stat', '--all-hosts'], {})).toMatchObject({
      kind: 'ask',
      question: { about: 'stat', allHosts: true, target: undefined },
    });
  });
});

it('units are for people', () => {
  expect([0.0004, 0.0099, 0.0175, 0.999, 1.25, 42, 3_600].map(latency)).toEqual([
    ...['0.4ms', '9.9ms', '18ms', '999ms', '1.3s', '42s', '60m'],
  ]);
  expect([1, 0.99999, 0].map(percent)).toEqual(['100.00%', '99.99%', '0.00%']);
  expect([0, 1_023, 1_536, 3 * 1024 ** 4 * 1024].map(bytes)).toEqual(['0B', '1023B', '1.5KiB', '3072.0TiB']);
  expect(['1', '1.5m', '500ms', '1h', '-1', '', '1d'].map(durationMs)).toEqual([
    ...[1_000, 90_000, 500, 3_600_000, undefined, undefined, undefined],
  ]);
});
