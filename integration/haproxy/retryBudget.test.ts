import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { askSocket, type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get, startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { type GeneratorBed, instanceOf, startGenerator, tested, topLevel } from './bed.ts';

const patience = { timeoutMs: 30_000, intervalMs: 50 };
const timing = { countMs: 50, latencyMs: 50, watchMs: 100 };
const clients = 4;
const attempts = 2;

/** Before 2.6 there is no budget, which the status says. */
describe.runIf(tested.counterArrays)('retries with a budget', () => {
  let dir: string;
  let port: number;
  let haproxy: Haproxy;
  let upstreams: Upstream[];
  let bed: GeneratorBed;

  beforeEach(async () => {
    dir = makeTempDir('budget');
    port = await freePort();
    upstreams = [
      await startHttpUpstream({ identity: 'u1', host: '127.0.7.1' }),
      await startHttpUpstream({ identity: 'u2', host: '127.0.7.2' }),
    ];
    const { global, defaults } = testBase(dir);
    const idle = ['listen idle', `bind 127.0.0.1:${await freePort()}`, ''];
    haproxy = await startHaproxy({
      dir,
      config: ['global', ...global, 'defaults', ...defaults, ...idle].join('\n'),
    });
    bed = startGenerator(topLevel(dir), timing, undefined, { latencies: true, stickCounter: 2 });
  });
  afterEach(async () => {
    await bed.stop();
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  const web = (budget: unknown) => ({
    web: {
      instances: upstreams.map((each) => instanceOf(each)),
      haproxy: { port, listen: ['mode http'], policy: { retries: { attempts, on: [500], budget } } },
    },
  });
  const behave = (...all: ('fail' | 'answer')[]): void =>
    all.forEach((behaviour, index) => upstreams[index]?.behave(behaviour));
  const received = (): number => upstreams.reduce((sum, upstream) => sum + upstream.received, 0);
  const statuses = async (count: number): Promise<readonly number[]> => {
    const seen: number[] = [];
    for (let request = 0; request < count; request += 1) seen.push((await get({ port })).status);
    return seen;
  };
  /** How many requests a load of them came to at the servers, beyond one each. */
  const retriesOf = async (requests: number) => {
    const [before, begun] = [received(), performance.now()];
    const load = startLoad({ port, clients, connections: 'keep-alive', paceMs: 0, maxRequests: requests });
    await eventually(() => load.requests >= requests, { ...patience, what: 'the load is done' });
    const { requests: sent } = await load.stop();
    const seconds = (performance.now() - begun) / 1000;
    return { requests: sent, retries: received() - before - sent, seconds };
  };
  /**
   * What a whole budget of 20 % and one a second allows at most. The window is one of two halves that glide: a tenth for
   * that; and what was under way when it was spent.
   */
  const most = (requests: number, seconds: number): number =>
    1.1 * (0.2 * requests + 10 + seconds) + clients * attempts;
  const eventuallySpent = () =>
    eventually(
      () => bed.logger.records.some(({ message }) => message.startsWith('the budget of retries is spent')),
      { ...patience, what: 'synapse says that the budget is spent' },
    );

  it('are all attempts of every request without one', async () => {
    await bed.settle(web(false));
    behave('fail', 'fail');
    const { requests, retries } = await retriesOf(100);
    expect(retries).toBe(attempts * requests);
  });

  it('are counted for clients that did not wait for the answer', async () => {
    const services = web({ min_per_second: 10 });
    const { policy } = services.web.haproxy;
    const retries = { ...policy.retries, on: ['response-timeout'] };
    const haproxyBlock = { ...services.web.haproxy, policy: { timeouts: { server: '300ms' }, retries } };
    await bed.settle({ web: { ...services.web, haproxy: haproxyBlock } });
    for (const upstream of upstreams) upstream.behave('hang');
    const leaving = request({ host: '127.0.0.1', port, agent: false });
    leaving.on('error', () => undefined);
    leaving.end();
    await eventually(() => received() > 0, { ...patience, what: 'a server has the request' });
    leaving.destroy();
    await eventually(
      async () => {
        const table = await askSocket(haproxy.adminSocket, 'show table synapse-retries');
        return table.includes(' gpc0_rate(10000)=2 ');
      },
      { ...patience, what: 'both further attempts are counted' },
    );
    expect(received()).toBe(3);
  });

  it('stay within it when all servers fail, are whole when few do, and come back without synapse', async () => {
    const services = web({ ratio: 0.2, min_per_second: 1 });
    await bed.settle(services);
    // Half of these meet the server that fails: fewer than a second's worth for each second of the window.
    behave('fail', 'answer');
    expect(new Set(await statuses(12))).toEqual(new Set([200]));

    behave('fail', 'fail');
    const { requests, retries, seconds } = await retriesOf(600);
    expect(retries).toBeLessThan(most(requests, seconds));
    expect(retries).toBeGreaterThan(0.1 * requests);

    await eventuallySpent();
    expect(await bed.metrics()).toMatch(
      /^smartstack_retry_budget_withheld_total\{dst_service="web"\} [1-9]\d*$/m,
    );
    const [trace] = await bed.generator.trace!(
      [{ service: 'web', instances: [] }],
      new AbortController().signal,
    );
    expect(trace?.steps.find(({ step }) => step === 'desired')?.detail).toMatch(
      /its budget of retries is spent: \d+ retries of \d+ requests in 10 s/,
    );
    expect((await bed.reconcile(services)).outcome).toBe('noop');
    const spent = await askSocket(haproxy.adminSocket, 'show table synapse-retries');
    expect(spent).toMatch(/key=web .*gpc1=[1-9]/);

    // It is HAProxy that keeps the budget: nothing stays shut when nobody is there to open it.
    await bed.stop();
    await eventually(
      async () => {
        behave('answer', 'answer');
        expect(new Set(await statuses(60))).toEqual(new Set([200]));
        behave('fail', 'answer');
        return (await statuses(4)).every((status) => status === 200);
      },
      { ...patience, what: 'what fails is tried again' },
    );
  });

  it('are within a whole budget again in the worker of a reload', async () => {
    const services = web({ ratio: 0.2, min_per_second: 1 });
    await bed.settle(services);
    behave('fail', 'fail');
    await retriesOf(300);
    await eventuallySpent();
    const worker = await haproxy.workerPid();
    await bed.settle({ ...services, api: { ...services.web, haproxy: { port: await freePort() } } });
    expect(await haproxy.workerPid()).not.toBe(worker);
    const { requests, retries, seconds } = await retriesOf(300);
    expect(retries).toBeGreaterThan(0.1 * requests);
    expect(retries).toBeLessThan(most(requests, seconds));
  });
});
