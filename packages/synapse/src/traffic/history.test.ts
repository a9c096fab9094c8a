import { FakeClock } from '@smartstack/agent/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { TrafficHistory } from './history.js';
import { latencyBuckets } from './latency.js';
import type { Gain, ServerGain } from './types.js';

const gain = (requests: number, failure = 0): Gain => ({
  ...{ requests, success: requests - failure, failure, aborted: 0, bytesIn: 0, bytesOut: 0, retries: 0 },
  ...{ redispatches: 0, connectErrors: 0, responseErrors: 0, clientAborts: 0 },
});
/** So many responses between 10 and 25 ms. */
const quick = (count: number): number[] =>
  Array.from({ length: latencyBuckets }, (_, bucket) => (bucket === 5 ? count : 0));
const minute = { fromMs: 60_000, toMs: 0, withPoints: false };

describe('the history', () => {
  let clock: FakeClock;
  let history: TrafficHistory;

  beforeEach(() => {
    clock = new FakeClock();
    history = new TrafficHistory(clock, {
      services: () => ['web', 'db'],
      servers: (service) => (service === 'web' ? ['a', 'b'] : ['c']),
      facts: (service) => ({ http: service === 'web', open: 3 }),
      noLatencies: (service) => (service === 'web' ? undefined : 'it is in mode tcp'),
    });
  });

  it('gives rates over the time that was looked at, not over what lies before the start', async () => {
    history.note('web', undefined, { gain: gain(0) });
    await clock.advance(20_000);
    history.note('web', undefined, { gain: gain(100, 25), latencies: quick(100) });
    history.looked();
    await clock.advance(1_000);
    const { services, now, lookedAt } = history.services(minute);
    expect(now - lookedAt).toBe(1_000);
    expect(services.map(({ service }) => service)).toEqual(['web', 'db']);
    expect(services[0]).toMatchObject({ mode: 'http', open: 3 });
    expect(services[0]).not.toHaveProperty('noLatencies');
    expect(services[0]!.summary).toMatchObject({ seconds: 20, rps: 5, successRate: 0.75 });
    expect(services[0]!.summary.p50).toBeCloseTo(0.0175);
    expect(services[1]).toMatchObject({ mode: 'tcp', noLatencies: 'it is in mode tcp' });
    expect(services[1]!.summary).toMatchObject({
      requests: 0,
      successRate: null,
      p50: null,
      latencies: null,
    });
  });

  it('looks back, with points in wall clock time', async () => {
    for (let slot = 0; slot < 12; slot += 1) {
      history.note('web', 'a', { gain: gain(slot) });
      history.looked();
      await clock.advance(10_000);
    }
    const detail = history.service('web', { fromMs: 60_000, toMs: 30_000, withPoints: true })!;
    expect(detail.to - detail.from).toBe(30_000);
    const [a, b] = detail.servers;
    expect(a!.summary.requests).toBe(6 + 7 + 8);
    expect(a!.points!.map(({ requests }) => requests)).toEqual([6, 7, 8]);
    expect(b!.points!.map(({ requests }) => requests)).toEqual([0, 0, 0]);
    expect(a!.points![0]!.at).toBe(clock.now() - 60_000);
    expect(history.service('nobody', minute)).toBeUndefined();
  });

  it('tells listeners until they leave', () => {
    const heard: (readonly ServerGain[])[] = [];
    const leave = history.listen((gains) => heard.push(gains));
    history.tell([]);
    leave();
    history.tell([]);
    expect(heard).toHaveLength(1);
    expect(history.isHeard).toBe(false);
  });

  it('has nothing of single servers where there are thousands, and says so', () => {
    history.expectServers(2_001);
    history.note('web', 'a', { gain: gain(5) });
    const detail = history.service('web', minute)!;
    expect(detail.servers).toEqual([]);
    expect(detail.noServers).toMatch(/2000/);
    history.expectServers(2_000);
    expect(history.service('web', minute)!.servers[0]!.summary.requests).toBe(0);
  });

  it('forgets a service that left', () => {
    history.note('web', undefined, { gain: gain(5) });
    history.note('web', 'a', { gain: gain(5) });
    history.forget('web', ['a']);
    const detail = history.service('web', minute)!;
    expect([detail.service.summary.requests, detail.servers[0]!.summary.requests]).toEqual([0, 0]);
  });
});
