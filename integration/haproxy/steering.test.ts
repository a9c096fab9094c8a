import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { askSocket, type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get, type Load, startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { type GeneratorBed, instanceOf, serversOf, startGenerator, topLevel } from './bed.ts';

const patience = { timeoutMs: 30_000, intervalMs: 50 };
const timing = { countMs: 50, latencyMs: 50, steerMs: 200, watchMs: 100, observeAgainMs: 300 };

function post(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, method: 'POST', agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    outgoing.on('error', reject);
    outgoing.end('body');
  });
}

describe('requests, by how servers answer them', () => {
  let dir: string;
  let port: number;
  let haproxy: Haproxy;
  let upstreams: Upstream[];
  let bed: GeneratorBed;
  let load: Load | undefined;

  const start = (): GeneratorBed =>
    startGenerator(topLevel(dir), timing, undefined, { latencies: true, stickCounter: 2 });

  beforeEach(async () => {
    dir = makeTempDir('steer');
    port = await freePort();
    upstreams = [
      await startHttpUpstream({ identity: 'u1', host: '127.0.7.1' }),
      await startHttpUpstream({ identity: 'u2', host: '127.0.7.2' }),
      await startHttpUpstream({ identity: 'u3', host: '127.0.7.3' }),
    ];
    const { global, defaults } = testBase(dir);
    const idle = ['listen idle', `bind 127.0.0.1:${await freePort()}`, ''];
    haproxy = await startHaproxy({
      dir,
      config: ['global', ...global, 'defaults', ...defaults, ...idle].join('\n'),
    });
    bed = start();
  });
  afterEach(async () => {
    await load?.stop();
    load = undefined;
    await bed.stop();
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  const web = (block: Readonly<Record<string, unknown>>, some = upstreams) => ({
    web: { instances: some.map((each) => instanceOf(each)), haproxy: { port, ...block } },
  });
  const weightOf = async (identity: string): Promise<number> => {
    const found = (await serversOf(haproxy.adminSocket, 'web')).find((line) =>
      line.startsWith(`${identity}_`),
    );
    return Number(found?.split(' ')[2]);
  };
  const expectWeight = (
    services: Parameters<GeneratorBed['reconcile']>[0],
    what: string,
    isSo: (weight: number) => boolean,
  ) =>
    eventually(
      async () => {
        await bed.reconcile(services);
        return isSo(await weightOf('u3'));
      },
      { ...patience, what },
    );

  it('takes weight from a slow server, over a reload and a restart, and finds it again', async () => {
    const services = web({ balance: 'latency' });
    await bed.settle(services);
    expect(await weightOf('u3')).toBe(256);
    upstreams[2]!.delay(80);
    load = startLoad({ port, clients: 6, connections: 'keep-alive', maxRequests: 100_000 });
    await expectWeight(services, 'the slow server has little weight', (weight) => weight < 30);
    const [trace] = await bed.generator.trace!(
      [{ service: 'web', instances: [] }],
      new AbortController().signal,
    );
    expect(trace?.servers.find(({ server }) => server.startsWith('u3_'))?.note).toMatch(
      /% of its weight by latency: about \d+ ms against/,
    );

    // The file holds the whole weight; what HAProxy forgets at a reload it is told again.
    const other = web({ balance: 'latency', backend: ['timeout server 21s'] });
    await bed.reconcile(other);
    expect(await readFile(haproxy.configFile, 'utf8')).toMatch(/server u3_\S+ .*weight 256$/m);
    expect(await weightOf('u3')).toBeLessThan(30);

    await askSocket(haproxy.adminSocket, `set server web/${(await names()).at(-1)!} weight 200`);
    await expectWeight(other, 'a weight set by hand is corrected', (weight) => weight < 30);

    await bed.stop();
    bed = start();
    await bed.reconcile(other);
    expect(await weightOf('u3')).toBeLessThan(60);

    upstreams[2]!.delay(0);
    await expectWeight(other, 'the server is found again', (weight) => weight > 100);
  });

  const names = async (): Promise<readonly string[]> =>
    (await serversOf(haproxy.adminSocket, 'web')).map((line) => line.split(' ')[0] ?? '');

  it('takes weight from a server that stopped answering, and from one that fails fast', async () => {
    const services = web({ balance: 'latency' });
    await bed.settle(services);
    load = startLoad({ port, clients: 8, connections: 'keep-alive', maxRequests: 100_000 });
    await eventually(() => load!.requests > 200, { ...patience, what: 'it is under load' });
    upstreams[2]!.behave('fail');
    await expectWeight(services, 'the failing server has little weight', (weight) => weight < 30);
    upstreams[2]!.behave('hang');
    await expectWeight(services, 'the silent server has little weight', (weight) => weight < 10);
  });

  it('says that nothing is steered where no latencies are counted', async () => {
    await bed.settle(web({ balance: 'latency', latencies: false }));
    expect(bed.status().issues.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^balance: latency is plain roundrobin, .*`latencies: false`/),
    ]);
  });

  it('tries again what was declared idempotent, and nothing else', async () => {
    const policy = { retries: { on: [500] } };
    await bed.settle(web({ policy }, upstreams.slice(0, 2)));
    upstreams[0]!.behave('fail');
    for (let request = 0; request < 6; request += 1) expect((await get({ port })).status).toBe(200);
    expect(upstreams[0]!.received).toBeGreaterThanOrEqual(3);
    const received = (): number => upstreams[0]!.received + upstreams[1]!.received;
    const before = received();
    const statuses = await Promise.all(Array.from({ length: 6 }, () => post(port)));
    expect(statuses).toContain(500);
    expect(received() - before).toBe(6);
  });

  it('opens the circuit of a server that fails, and closes it when its checks pass', async () => {
    const policy = { circuit_breaker: { errors: 3 }, timeouts: { server: '5s' } };
    const block = { policy, server_options: 'check inter 1500 rise 1 fall 2' };
    await bed.settle(web(block, upstreams.slice(0, 2)));
    upstreams[0]!.behave('fail');
    const status = async (): Promise<string> =>
      (await askSocket(haproxy.adminSocket, 'show stat'))
        .split('\n')
        .find((row) => row.startsWith('web,u1_')) ?? '';
    await eventually(
      async () => {
        await get({ port });
        return (await status()).includes(',DOWN,');
      },
      { ...patience, what: 'the circuit is open' },
    );
    const before = upstreams[0]!.received;
    for (let request = 0; request < 4; request += 1) expect((await get({ port })).status).toBe(200);
    expect(upstreams[0]!.received).toBe(before);
    upstreams[0]!.behave('answer');
    await eventually(async () => (await status()).includes(',UP,'), { ...patience, what: 'it is closed' });
  });
});
