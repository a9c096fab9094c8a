import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get, startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import {
  type GeneratorBed,
  inRotation,
  instanceOf,
  serverLines,
  serversOf,
  type Services,
  startGenerator,
  topLevel,
  reloads,
  tested,
} from './bed.ts';

/** For what an older HAProxy needs a reload for. */
const onDynamic = it.runIf(tested.dynamicServers);

describe('the generator on a HAProxy of the operator', () => {
  let dir: string;
  let port: number;
  let haproxy: Haproxy;
  let upstreams: Upstream[];
  let bed: GeneratorBed;

  /** A HAProxy as an operator starts it before synapse ever ran: base sections and one dummy listener. */
  async function start(): Promise<Haproxy> {
    const { global, defaults } = testBase(dir);
    const lines = [
      'global',
      ...global,
      'defaults',
      ...defaults,
      'listen idle',
      `bind 127.0.0.1:${await freePort()}`,
      '',
    ];
    return startHaproxy({ dir, config: lines.join('\n') });
  }

  beforeEach(async () => {
    dir = makeTempDir('gen');
    port = await freePort();
    upstreams = await Promise.all(
      [1, 2, 3, 4].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.6.${n}` })),
    );
    haproxy = await start();
    bed = startGenerator(topLevel(dir));
  });
  afterEach(async () => {
    await bed.stop();
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  /** Service `web` with the upstreams of these numbers. */
  function web(numbers: readonly number[], more: Readonly<Record<string, unknown>> = {}): Services {
    const instances = numbers.map((n) => instanceOf(upstreams[n - 1]!));
    return {
      web: { instances, haproxy: { port, server_options: 'check inter 1s', backend_order: 'asc', ...more } },
    };
  }

  onDynamic(
    'loads its first file, then follows servers without a reload and without a failed request',
    async () => {
      expect(reloads(await bed.settle(web([1])))).toBe(1);
      expect(await get({ port })).toEqual({ status: 200, body: 'u1' });
      const worker = await haproxy.workerPid();

      const load = startLoad({ port, clients: 8, connections: 'keep-alive', maxRequests: 100_000 });
      expect((await bed.reconcile(web([1, 2, 3]))).outcome).toBe('runtime');
      await eventually(() => upstreams[2]!.served > 10, { what: 'a new server serves' });
      expect(await inRotation(haproxy.adminSocket, 'web')).toHaveLength(3);
      await bed.settle(web([2, 3]));
      const before = upstreams[0]!.served;
      await eventually(() => upstreams[1]!.served > 50, { what: 'the others serve on' });
      expect(upstreams[0]!.served).toBe(before);
      const { failures } = await load.stop(100);
      expect(failures).toEqual([]);
      expect(await haproxy.workerPid()).toBe(worker);
      await eventually(async () => (await serverLines(haproxy.configFile, 'web')).length >= 2, {
        what: 'the file follows',
      });
      expect(await bed.metrics()).toContain(
        'smartstack_haproxy_reload_total{reason="first-configuration",result="success"} 1',
      );
    },
  );

  it('the file always lands where the process is: a reload changes nothing', async () => {
    await bed.settle(web([1]));
    await bed.settle(web([2, 3]));
    await eventually(async () => (await readFile(haproxy.configFile, 'utf8')).includes('u3_'), {
      what: 'the file follows',
    });
    const before = await inRotation(haproxy.adminSocket, 'web');
    await haproxy.reload();
    expect(await inRotation(haproxy.adminSocket, 'web')).toEqual(before);
  });

  it('changes weights at run time', async () => {
    await haproxy.stop();
    await bed.stop();
    haproxy = await start();
    bed = startGenerator(topLevel(dir, { use_nerve_weights: true }));
    const weighted = (weight: number): Services => ({
      web: { instances: [instanceOf(upstreams[0]!, { weight })], haproxy: { port } },
    });
    await bed.settle(weighted(5));
    const worker = await haproxy.workerPid();
    await bed.settle(weighted(77));
    const name = `u1_${upstreams[0]!.host}:${upstreams[0]!.port}`;
    expect(await serversOf(haproxy.adminSocket, 'web')).toEqual([`${name} ready 77`]);
    expect(await haproxy.workerPid()).toBe(worker);
  });

  onDynamic(
    'notices within a second that HAProxy was killed and came back, and that it loaded our file',
    async () => {
      await bed.settle(web([1, 2]));
      await eventually(async () => (await serverLines(haproxy.configFile, 'web')).length === 2, {
        what: 'the file follows',
      });
      const { configFile } = haproxy;
      await haproxy.kill();
      // Nothing else wakes it here: it looks once a second.
      await eventually(() => bed.wakes > 0, { what: 'the generator noticed' });
      // Whoever looks after HAProxy starts it again; `at` of the file lies in an earlier second than the start.
      await holds(() => true, { what: 'a second passes', forMs: 1_100 });
      haproxy = await startHaproxy({ dir });
      expect(haproxy.configFile).toBe(configFile);
      const worker = await haproxy.workerPid();
      const outcomes = await bed.settle(web([1, 2, 3]));
      expect(outcomes).not.toContain('reload');
      expect(await inRotation(haproxy.adminSocket, 'web')).toHaveLength(3);
      expect(await haproxy.workerPid()).toBe(worker);
    },
  );

  onDynamic(
    'waits for a HAProxy that hangs, without reloading it, and goes on when it answers again',
    async () => {
      await bed.stop();
      bed = startGenerator(topLevel(dir), { commandMs: 200 });
      await bed.settle(web([1]));
      const worker = await haproxy.workerPid();
      await haproxy.signalAll('SIGSTOP');
      await expect(bed.reconcile(web([1, 2]))).rejects.toThrow(/200 ms/);
      await eventually(async () => (await serverLines(haproxy.configFile, 'web')).length === 2, {
        what: 'the file follows all the same',
      });
      await haproxy.signalAll('SIGCONT');
      await bed.settle(web([1, 2]));
      expect(await inRotation(haproxy.adminSocket, 'web')).toHaveLength(2);
      expect(await haproxy.workerPid()).toBe(worker);
    },
  );

  onDynamic('a restarted synapse finds everything as it is and reloads nothing', async () => {
    await bed.settle(web([1, 2]));
    await bed.stop();
    const worker = await haproxy.workerPid();
    bed = startGenerator(topLevel(dir));
    expect(reloads(await bed.settle(web([1, 2])))).toBe(0);
    expect(await bed.settle(web([2, 3]))).not.toContain('reload');
    expect(await haproxy.workerPid()).toBe(worker);
  });

  it('reloads for structure, with its reasons, and keeps keep-alive clients', async () => {
    await bed.settle(web([1, 2]));
    // Before 2.6 HAProxy resets idle clients at a reload.
    const connections = tested.dynamicServers ? 'keep-alive' : 'fresh';
    const load = startLoad({ port, clients: 8, connections, maxRequests: 100_000 });
    await eventually(() => load.requests > 50, { what: 'the load runs' });
    for (const seconds of [4, 5, 6]) {
      const outcomes = await bed.settle(web([1, 2], { backend: [`timeout server ${seconds}s`] }));
      expect(reloads(outcomes)).toBe(1);
    }
    await eventually(() => load.requests > 300, { what: 'the load goes on' });
    const { failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(await bed.metrics()).toContain(
      'smartstack_haproxy_reload_total{reason="lines-changed",result="success"} 3',
    );
  });

  it('limits the rate of reloads and coalesces their reasons', async () => {
    await bed.stop();
    bed = startGenerator(topLevel(dir, { restart_interval: 5 }));
    const before = performance.now();
    const sinceBefore = (): number => performance.now() - before;
    expect((await bed.reconcile(web([1]))).outcome).toBe('reload');
    const second = await bed.reconcile(web([1], { backend: ['timeout server 4s'] }));
    expect(second.outcome).toBe('waiting');
    // The first reload came after `before`, and what is left was counted before now.
    expect(second.againInMs).toBeGreaterThanOrEqual(5_000 - sinceBefore());
    expect(second.againInMs).toBeLessThanOrEqual(5_000);
    expect((await bed.reconcile(web([1], { backend: ['timeout server 5s'] }))).outcome).toBe('waiting');
    expect(bed.status().reloadReasons.map(({ kind }) => kind)).toEqual(['lines-changed']);
    expect(reloads(await bed.settle(web([1], { backend: ['timeout server 5s'] })))).toBe(1);
    expect(sinceBefore()).toBeGreaterThanOrEqual(5_000);
    expect(await readFile(haproxy.configFile, 'utf8')).toContain('timeout server 5s');
  });

  onDynamic('touches nothing that it does not own', async () => {
    await bed.stop();
    const [, , third, fourth] = upstreams;
    const extra_sections = {
      'backend manual': [
        `server static1 ${third!.host}:${third!.port}`,
        `server static2 ${fourth!.host}:${fourth!.port}`,
      ],
    };
    bed = startGenerator(topLevel(dir, { extra_sections }));
    const services = (numbers: readonly number[]): Services => web(numbers, { backend_name: 'web-renamed' });
    await bed.settle(services([1]));
    await haproxy.ask('add server web-renamed/by-hand 127.0.0.1:9 id 5000');
    await haproxy.ask('set server manual/static2 state maint');
    await bed.settle(services([1, 2]));
    await bed.settle(services([2]));
    expect(await serversOf(haproxy.adminSocket, 'manual')).toEqual(['static1 ready 1', 'static2 maint 1']);
    expect(await serversOf(haproxy.adminSocket, 'web-renamed')).toContain('by-hand maint 1');
    expect(await inRotation(haproxy.adminSocket, 'web-renamed')).toHaveLength(1);
  });

  onDynamic('adds servers around one made by hand, whose id would have been the next', async () => {
    await bed.settle(web([1]));
    const worker = await haproxy.workerPid();
    await haproxy.ask(`add server web/by-hand ${upstreams[3]!.host}:${upstreams[3]!.port} id 2`);
    expect(reloads(await bed.settle(web([1, 2, 3])))).toBe(0);
    expect(await inRotation(haproxy.adminSocket, 'web')).toHaveLength(3);
    expect(await haproxy.workerPid()).toBe(worker);
    const state = await haproxy.ask('show servers state web');
    expect(state).toMatch(/ 2 by-hand /);
    // The id of a server that was not there stays its own when it comes back.
    await bed.settle(web([1, 2]));
    expect(reloads(await bed.settle(web([1, 2, 3])))).toBe(0);
    expect(await haproxy.workerPid()).toBe(worker);
  });

  it('mends drift: servers disabled, re-weighted or removed by hand', async () => {
    await bed.stop();
    bed = startGenerator(topLevel(dir), { observeAgainMs: 50 });
    await bed.settle(web([1, 2, 3]));
    const names = await inRotation(haproxy.adminSocket, 'web');
    await haproxy.ask(`set server web/${names[0]} state maint`);
    await haproxy.ask(`set server web/${names[1]} weight 9`);
    await haproxy.ask(`set server web/${names[2]} state maint`);
    await haproxy.ask(`del server web/${names[2]}`);
    await eventually(
      async () => {
        await bed.settle(web([1, 2, 3]));
        return (await inRotation(haproxy.adminSocket, 'web')).length === 3;
      },
      { what: 'all servers are back' },
    );
    expect((await serversOf(haproxy.adminSocket, 'web')).every((server) => server.endsWith('ready 1'))).toBe(
      true,
    );
  });
});
