import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GeneratorTiming } from '../../packages/synapse/src/generators/haproxy/wiring.ts';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, isAlive, startHaproxy, testBase, workersOf } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { type GeneratorBed, instanceOf, type Services, startGenerator, topLevel } from './bed.ts';
import { read, type Slow, startSlow, watchCounters } from './traffic.ts';

/** Long enough for a reading to be due again on a busy machine, where one takes long. */
const patience = { timeoutMs: 30_000, intervalMs: 20 };

describe('counters carried forward', () => {
  let dir: string;
  let port: number;
  let haproxy: Haproxy;
  let upstreams: Upstream[];
  let bed: GeneratorBed;
  let slow: Slow;
  let lines = 0;
  let sent = 0;

  beforeEach(async () => {
    dir = makeTempDir('cnt');
    port = await freePort();
    slow = await startSlow(() => (sent += 1));
    lines = 0;
    sent = 0;
    upstreams = await Promise.all(
      [1, 2].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.6.${n}` })),
    );
    const { global, defaults } = testBase(dir);
    const config = ['global', ...global, 'hard-stop-after 60s', 'defaults', ...defaults];
    haproxy = await startHaproxy({
      dir,
      config: [...config, 'listen idle', `bind 127.0.0.1:${await freePort()}`, ''].join('\n'),
    });
    bed = start();
  });
  afterEach(async () => {
    await bed.stop();
    await haproxy.stop();
    await slow.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  const start = (timing: Partial<GeneratorTiming> = {}): GeneratorBed =>
    startGenerator(
      topLevel(dir, { global: [...testBase(dir).global, 'hard-stop-after 60s'] }),
      // Often: the interval grows with the time that a reading takes, long on a busy machine.
      { countMs: 20, watchMs: 100, ...timing },
    );

  function web(numbers: readonly number[]): Services {
    const instances = numbers.map((n) => instanceOf(upstreams[n - 1]!));
    const backend = Array.from({ length: lines }, (_, n) => `timeout server ${20 + n}s`).slice(-1);
    const slowly = { port: slow.port, frontend: ['timeout client 60s'], backend: ['timeout server 60s'] };
    return {
      web: { instances, haproxy: { port, backend } },
      slow: { instances: [{ host: '127.0.6.9', port: slow.upstreamPort, name: 's' }], haproxy: slowly },
    };
  }

  /** Requests one after the other, each counted when its answer is complete. */
  async function send(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      sent += 1;
      expect((await get({ port })).status).toBe(200);
    }
  }

  /** Changes a line of the service, which needs a reload. */
  async function reload(numbers: readonly number[]): Promise<void> {
    lines += 1;
    expect(await bed.settle(web(numbers))).toContain('reload');
  }

  // HAProxy counts a request when it has read it, its answer when the stream ends: just after the client has it.
  const allCounted = (): Promise<boolean> =>
    eventually(
      async () => {
        const metrics = await bed.metrics();
        expect(read(metrics, 'smartstack_request_total')).toBe(sent);
        expect(read(metrics, 'smartstack_response_total')).toBe(sent);
        return true;
      },
      { what: 'all requests are counted', ...patience },
    );

  it('are what the clients counted: over reloads, a late answer, a replaced server, a clear and a kill', async () => {
    await bed.settle(web([1, 2]));
    await send(20);
    await allCounted();
    const scrapes = watchCounters(() => bed.metrics());

    // A request that ends on an old worker, after two reloads, as the very last thing that this worker does.
    const old = await haproxy.workerPid();
    const late = await slow.request();
    await reload([1, 2]);
    await send(7);
    await reload([1, 2]);
    await send(5);
    expect(workersOf(await haproxy.ask('show proc', haproxy.masterSocket), 'old workers')).toContain(old);
    await eventually(
      () => {
        expect(bed.status().oldWorkers).toContainEqual(expect.objectContaining({ pid: old }));
        return true;
      },
      { what: 'the status shows the old worker', ...patience },
    );
    slow.answer();
    expect(await late.status).toBe(200);
    await allCounted();
    await eventually(async () => !(await isAlive(old)), { what: 'the old worker was let go', ...patience });

    // A burst, with a reload at its heels: nobody had the time to read it in between.
    await send(30);
    await reload([1, 2]);
    await allCounted();

    // A server that leaves and comes again counts from 0.
    await bed.settle(web([2]));
    await send(4);
    await bed.settle(web([1, 2]));
    await send(6);
    await allCounted();

    await haproxy.ask('clear counters all');
    await send(3);
    await allCounted();

    // The master ends with its worker, and whoever looks after HAProxy starts it again.
    await haproxy.kill();
    haproxy = await startHaproxy({ dir });
    await bed.settle(web([1, 2]));
    await send(9);
    await allCounted();

    await eventually(() => scrapes.count > 50, { what: 'there were many scrapes', ...patience });
    expect(await scrapes.stop()).toEqual([]);
    const metrics = await bed.metrics();
    expect(read(metrics, 'smartstack_response_total', 'status_class="2xx"')).toBe(sent);
    expect(read(metrics, 'smartstack_response_total')).toBe(sent);
    expect(read(metrics, 'smartstack_tcp_read_bytes_total')).toBeGreaterThan(sent * 20);
    expect(metrics).not.toContain('smartstack_haproxy_counter_failures_total 1');
    const said = bed.logger.records.filter(({ message }) => message.includes('counters'));
    // Of the one that was killed it is told after two seconds, if this took so long; of no other.
    expect(said.filter(({ message }) => !message.includes('ended before'))).toEqual([]);
    expect(said.length).toBeLessThanOrEqual(1);
  });

  it('hold over a reload by somebody else, and a worker that is killed', async () => {
    await bed.settle(web([1]));
    await send(10);
    await allCounted();
    const late = await slow.request();
    await haproxy.reload();
    await send(5);
    slow.answer();
    expect(await late.status).toBe(200);
    await allCounted();
    // A worker that is killed takes its master with it: a new HAProxy.
    process.kill(await haproxy.workerPid(), 'SIGKILL');
    await eventually(() => !haproxy.running, { what: 'the master ended, too', timeoutMs: 10_000 });
    haproxy = await startHaproxy({ dir });
    await bed.settle(web([1]));
    await send(5);
    await allCounted();
  });

  it('begin anew with synapse, without what HAProxy had counted before', async () => {
    await bed.settle(web([1]));
    await send(10);
    await allCounted();
    await bed.stop();
    // Starts of HAProxy are known to the second: it must be older than the next synapse by one.
    await eventually(async () => /Uptime_sec: [2-9]/.test(await haproxy.ask('show info')), {
      what: 'HAProxy is old enough',
      timeoutMs: 10_000,
    });
    bed = start();
    await bed.settle(web([1]));
    await eventually(async () => (await bed.metrics()).includes('smartstack_request_total{'), {
      what: 'a first reading',
      ...patience,
    });
    sent = 0;
    await send(4);
    await allCounted();
  });

  it('follow an old worker that was there before synapse, through the master', async () => {
    await bed.settle(web([1]));
    const [first, second] = [await slow.request(), await slow.request()];
    await reload([1]);
    await bed.stop();
    await eventually(async () => /Uptime_sec: [2-9]/.test(await haproxy.ask('show info')), {
      what: 'HAProxy is old enough',
      timeoutMs: 10_000,
    });
    bed = start();
    await bed.settle(web([1]));
    const answered = async (): Promise<number> =>
      read(await bed.metrics(), 'smartstack_response_total', 'dst_service="slow"');
    // The new worker's series are there after the first round, in which the old one was read as well.
    await eventually(async () => (await bed.metrics()).includes('{dst_service="slow"'), {
      what: 'a first reading',
      ...patience,
    });
    const old = workersOf(await haproxy.ask('show proc', haproxy.masterSocket), 'old workers');
    expect(old).toHaveLength(1);
    slow.answer(1);
    expect(await first.status).toBe(200);
    await eventually(async () => (await answered()) === 1, { what: 'its answer is counted', ...patience });
    slow.answer();
    expect(await second.status).toBe(200);
  });

  it('tell failures, retries and what clients broke off, by service', async () => {
    await bed.settle(web([1]));
    await send(1);
    upstreams[0]!.behave('fail');
    expect((await get({ port })).status).toBe(500);
    await upstreams[0]!.stop();
    expect((await get({ port })).status).toBe(503);
    await eventually(
      async () => {
        const metrics = await bed.metrics();
        expect(read(metrics, 'smartstack_response_total', 'classification="failure"')).toBe(2);
        expect(read(metrics, 'smartstack_response_total', 'classification="success"')).toBe(1);
        expect(read(metrics, 'smartstack_connection_error_total')).toBeGreaterThanOrEqual(1);
        expect(read(metrics, 'smartstack_retry_total')).toBeGreaterThanOrEqual(1);
        return true;
      },
      { what: 'all of it is counted', ...patience },
    );
    expect(bed.status().traffic.web).toMatchObject({ stot: 3, hrsp_2xx: 1, hrsp_5xx: 2 });
    // The series go with the service.
    await bed.settle({});
    expect(await bed.metrics()).not.toContain('dst_service="web"');
  });

  it('count a HAProxy once that was frozen, and tell once that it could not be read', async () => {
    await bed.stop();
    bed = start({ commandMs: 500, answerMs: 500 });
    await bed.settle(web([1]));
    await send(5);
    await allCounted();
    await haproxy.signalAll('SIGSTOP');
    const told = (): readonly string[] =>
      bed.logger.records.map(({ message }) => message).filter((message) => message.includes('counters'));
    await eventually(() => told().length > 0, { what: 'the failure is told', ...patience });
    await haproxy.signalAll('SIGCONT');
    await send(5);
    await allCounted();
    await eventually(() => told().at(-1) === "haproxy's counters are read again", {
      what: 'it is over',
      ...patience,
    });
  });
});
