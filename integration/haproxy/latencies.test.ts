import { connect } from 'node:net';
import { systemClock } from '@smartstack/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { latencyBounds } from '../../packages/synapse/src/traffic/latency.ts';
import type { ServiceDetail, TrafficSummary } from '../../packages/synapse/src/traffic/shapes.ts';
import type { ServerGain } from '../../packages/synapse/src/traffic/types.ts';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get, startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, startTcpUpstream, type Upstream } from '../harness/upstream.ts';
import { type GeneratorBed, instanceOf, type Services, startGenerator, topLevel } from './bed.ts';
import { read, watchCounters } from './traffic.ts';

const patience = { timeoutMs: 20_000, intervalMs: 20 };
const hour = { fromMs: 3_600_000, toMs: 0, withPoints: true };
const slowMs = 60;

/** The latest time of an answer, in seconds: whoever waits for it sees more than HAProxy does. */
async function timed(action: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await action();
  return (performance.now() - before) / 1000;
}

function echo(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.end('hello'));
    socket.on('error', reject);
    socket.on('close', () => resolve());
    socket.resume();
  });
}

describe('latencies counted in HAProxy', () => {
  let dir: string;
  let ports: { fast: number; slow: number; echo: number };
  let haproxy: Haproxy;
  let upstreams: Upstream[];
  let bed: GeneratorBed;
  let sent: { fast: number; slow: number; echo: number };
  let lines: number;
  let gains: ServerGain[];

  beforeEach(async () => {
    dir = makeTempDir('lat');
    ports = { fast: await freePort(), slow: await freePort(), echo: await freePort() };
    sent = { fast: 0, slow: 0, echo: 0 };
    lines = 0;
    gains = [];
    upstreams = [
      await startHttpUpstream({ identity: 'u1', host: '127.0.7.1' }),
      await startHttpUpstream({ identity: 'u2', host: '127.0.7.2' }),
      await startHttpUpstream({ identity: 'u3', host: '127.0.7.3' }),
      await startTcpUpstream({ identity: 'u4', host: '127.0.7.4' }),
    ];
    upstreams[2]!.delay(slowMs);
    const { global, defaults } = testBase(dir);
    const config = ['global', ...global, 'defaults', ...defaults];
    haproxy = await startHaproxy({
      dir,
      config: [...config, 'listen idle', `bind 127.0.0.1:${await freePort()}`, ''].join('\n'),
    });
    bed = startGenerator(topLevel(dir), { countMs: 20, latencyMs: 20, watchMs: 100 }, undefined, {
      ...{ latencies: true, stickCounter: 2 },
    });
    bed.generator.traffic!.listen((each) => gains.push(...each));
  });
  afterEach(async () => {
    await bed.stop();
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  const services = (): Services => {
    const [one, two, three, four] = upstreams.map((upstream) => instanceOf(upstream));
    const backend = Array.from({ length: lines }, (_, n) => `timeout server ${20 + n}s`).slice(-1);
    return {
      fast: { instances: [one!, two!], haproxy: { port: ports.fast, backend } },
      slow: { instances: [three!], haproxy: { port: ports.slow } },
      echo: { instances: [four!], haproxy: { port: ports.echo, listen: ['mode tcp'] } },
    };
  };

  const detail = (service: string): ServiceDetail => bed.generator.traffic!.service(service, hour)!;
  const counted = ({ latencies }: TrafficSummary): number =>
    (latencies ?? []).reduce((sum, count) => sum + count, 0);
  const histogram = async (service: string): Promise<number> =>
    read(await bed.metrics(), 'smartstack_response_latency_seconds_count', `"${service}"`);

  async function ask(service: 'fast' | 'slow', count: number): Promise<readonly number[]> {
    const times: number[] = [];
    for (let n = 0; n < count; n += 1) {
      sent[service] += 1;
      times.push(await timed(() => get({ port: ports[service] })));
    }
    return times;
  }

  /** Everything that was sent is in the metrics, the histograms, the history, and what a listener heard. */
  const allCounted = (): Promise<boolean> =>
    eventually(
      async () => {
        const metrics = await bed.metrics();
        for (const service of ['fast', 'slow'] as const) {
          const { summary, points } = detail(service).service;
          expect(read(metrics, 'smartstack_request_total', `"${service}"`)).toBe(sent[service]);
          expect(read(metrics, 'smartstack_response_total', `"${service}"`)).toBe(sent[service]);
          expect(await histogram(service)).toBe(sent[service]);
          expect([summary.requests, counted(summary)]).toEqual([sent[service], sent[service]]);
          expect(points!.reduce((sum, { requests }) => sum + requests, 0)).toBe(sent[service]);
          const heard = gains
            .filter((gain) => gain.service === service)
            .flatMap(({ latencies }) => latencies);
          expect(heard.reduce((sum, count) => sum + count, 0)).toBe(sent[service]);
          const servers = detail(service).servers.map(({ summary: { requests } }) => requests);
          expect(servers.reduce((sum, count) => sum + count, 0)).toBe(sent[service]);
        }
        expect(read(metrics, 'smartstack_tcp_open_total', '"echo"')).toBe(sent.echo);
        return true;
      },
      { what: 'all is counted', ...patience },
    );

  const boundsAround = (seconds: number): readonly [number, number] => {
    const bucket = latencyBounds.findIndex((bound) => seconds <= bound);
    return [latencyBounds[bucket - 1] ?? 0, latencyBounds[bucket] ?? Infinity];
  };

  it('are those of the requests: under a load, with failures, over a drain, and but for its last second at a kill', async () => {
    expect(await bed.settle(services())).toContain('reload');
    expect(bed.status().issues).toEqual([]);
    const load = startLoad({ port: ports.fast, clients: 4, connections: 'keep-alive', maxRequests: 400 });
    const times = [...(await ask('slow', 12))].sort((a, b) => a - b);
    await eventually(() => load.requests >= 400, { what: 'the load was sent', ...patience });
    const result = await load.stop();
    expect(result.failures).toEqual([]);
    sent.fast += result.requests;
    upstreams[0]!.behave('fail');
    const failed = (await Promise.all(Array.from({ length: 10 }, () => get({ port: ports.fast })))).filter(
      ({ status }) => status === 500,
    ).length;
    sent.fast += 10;
    upstreams[0]!.behave('answer');
    for (; sent.echo < 5; sent.echo += 1) await echo(ports.echo);
    await allCounted();

    const slow = detail('slow').service;
    for (const [q, estimate] of [
      [0.5, slow.summary.p50],
      [0.95, slow.summary.p95],
    ] as const) {
      const exact = times[Math.ceil(q * times.length) - 1]!;
      expect(estimate).toBeGreaterThanOrEqual(boundsAround(slowMs / 1000)[0]);
      expect(estimate).toBeLessThanOrEqual(boundsAround(exact)[1]);
    }
    const fast = detail('fast');
    expect(failed).toBeGreaterThan(0);
    expect(fast.service.summary).toMatchObject({ failure: failed, success: sent.fast - failed, aborted: 0 });
    expect(gains.reduce((sum, { failures }) => sum + failures, 0)).toBe(failed);
    expect(fast.servers.map(({ summary }) => summary.failure).sort()).toEqual([0, failed]);
    expect(detail('echo').service).toMatchObject({
      ...{ mode: 'tcp', noLatencies: 'it is in mode tcp' },
      summary: { requests: 5, latencies: null, successRate: null },
    });

    // A reload, with a request under way that ends on the old worker.
    const scrapes = watchCounters(() => bed.metrics());
    const before = upstreams[2]!.received;
    upstreams[2]!.delay(600);
    sent.slow += 1;
    const late = get({ port: ports.slow });
    await eventually(() => upstreams[2]!.received > before, { what: 'the request waits', ...patience });
    lines += 1;
    expect(await bed.settle(services())).toContain('reload');
    await ask('fast', 15);
    expect((await late).status).toBe(200);
    upstreams[2]!.delay(0);
    await allCounted();

    // Killed: what was not read by then is lost, and nothing else; it is told.
    await ask('fast', 10);
    await allCounted();
    await ask('fast', 6);
    await haproxy.kill();
    haproxy = await startHaproxy({ dir });
    await bed.settle(services());
    const unread = sent.fast - (await histogram('fast'));
    expect(unread).toBeGreaterThanOrEqual(0);
    expect(unread).toBeLessThanOrEqual(6);
    await ask('fast', 9);
    await eventually(async () => (await histogram('fast')) === sent.fast - unread, {
      ...{ what: 'all but the lost ones', ...patience },
    });
    await eventually(async () => /^smartstack_haproxy_counter_losses_total 1$/m.test(await bed.metrics()), {
      ...{ what: 'the loss is told', ...patience },
    });
    expect(await scrapes.stop()).toEqual([]);
  });

  it('are not counted of a service whose own lines use the stick counter, which is told; who left is removed from the table', async () => {
    await bed.stop();
    const skipped = { ms: 0 };
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + skipped.ms };
    const timing = { countMs: 20, latencyMs: 20, watchMs: 100 };
    const settings = { latencies: true, stickCounter: 2 };
    // Without a state file: with one, HAProxy keeps who left for a day, disabled.
    bed = startGenerator(topLevel(dir, { state_file_path: null }), timing, undefined, settings, clock);
    const all = services();
    const backend = ['stick-table type ip size 1k store http_req_cnt', 'http-request track-sc2 src'];
    const own = { ...all, slow: { ...all.slow!, haproxy: { port: ports.slow, backend } } };
    await bed.settle(own);
    await ask('slow', 3);
    await ask('fast', 8);
    await eventually(async () => (await histogram('fast')) === 8, { what: 'fast is counted', ...patience });
    await eventually(() => detail('slow').service.summary.requests === 3, {
      ...{ what: 'the requests are counted all the same', ...patience },
    });
    expect(detail('slow').service.noLatencies).toContain('stick counter 2');
    expect(JSON.stringify(bed.status().issues)).toContain('stick counter 2');
    expect(await histogram('slow')).toBe(0);
    // The operator's own table is what it was without us.
    expect(await haproxy.ask('show table slow')).toMatch(/http_req_cnt=3$/m);

    // Two servers answered; one leaves, and is in the table until it was quiet for a minute.
    const keys = async (): Promise<readonly string[]> =>
      [...(await haproxy.ask('show table synapse-latencies')).matchAll(/key=(\S+)/g)].map(([, key]) => key!);
    expect((await keys()).toSorted()).toEqual(['fast/1', 'fast/2']);
    await bed.settle({ ...own, fast: { ...all.fast!, instances: all.fast!.instances.slice(0, 1) } });
    expect(await keys()).toHaveLength(2);
    await eventually(
      async () => {
        skipped.ms += 61_000;
        return (await keys()).length === 1;
      },
      { what: 'the server that left is removed', timeoutMs: 20_000, intervalMs: 200 },
    );
    // What it had answered stays in the sums, and one that comes again begins anew.
    expect(await histogram('fast')).toBe(8);
    await bed.settle(own);
    await ask('fast', 8);
    await eventually(async () => (await histogram('fast')) === 16, { what: 'all is counted', ...patience });
    expect(await keys()).toHaveLength(2);
  });
});
