import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { askSocket, haproxyPaths, isAlive, killAllIn } from '../harness/haproxy.ts';
import { killTree, testBase, workersOf } from '../harness/haproxy.ts';
import { get, startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import {
  type GeneratorBed,
  inRotation,
  instanceOf,
  type Services,
  startGenerator,
  topLevel,
  reloads,
  tested,
} from './bed.ts';

/** For what an older HAProxy needs a reload for. */
const onDynamic = it.runIf(tested.dynamicServers);

describe('a managed HAProxy', () => {
  let dir: string;
  let port: number;
  let upstreams: Upstream[];
  let bed: GeneratorBed;

  const start = (): GeneratorBed =>
    startGenerator(topLevel(dir, { managed: true, ...testBase(dir) }), { watchMs: 100 });
  const told = (): readonly string[] =>
    bed.logger.records.flatMap(({ message }) => (/haproxy (re|st)/.test(message) ? [message] : []));
  const showProc = (): Promise<string> => askSocket(haproxyPaths(dir).masterSocket, 'show proc');

  async function masterPid(): Promise<number> {
    return Number(/^(\d+)\s+master/m.exec(await showProc())?.[1]);
  }

  beforeEach(async () => {
    dir = makeTempDir('man');
    port = await freePort();
    upstreams = await Promise.all(
      [1, 2].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.5.${n}` })),
    );
    bed = start();
  });
  afterEach(async () => {
    await bed.stop();
    await killAllIn(dir);
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  function web(numbers: readonly number[], more: Readonly<Record<string, unknown>> = {}): Services {
    const instances = numbers.map((n) => instanceOf(upstreams[n - 1]!));
    return { web: { instances, haproxy: { port, server_options: 'check inter 1s', ...more } } };
  }

  onDynamic(
    'is started with the first configuration, and reloaded once only where that is needed',
    async () => {
      const outcomes = await bed.settle(web([1]));
      expect(outcomes.filter((outcome) => outcome === 'start' || outcome === 'reload')).toEqual(['start']);
      expect(told()).toEqual(['haproxy started']);
      const metrics = await bed.metrics();
      expect(metrics).toContain('smartstack_haproxy_start_total{result="success"} 1');
      expect(metrics).not.toContain('smartstack_haproxy_reload_total{');
      expect(await get({ port })).toEqual({ status: 200, body: 'u1' });
      const pid = await masterPid();
      expect(await bed.settle(web([1, 2]))).not.toContain('reload');
      expect(reloads(await bed.settle(web([1, 2], { backend: ['timeout server 3s'] })))).toBe(1);
      expect(told()).toEqual(['haproxy started', 'haproxy reloaded']);
      expect(await masterPid()).toBe(pid);
      expect(await inRotation(haproxyPaths(dir).adminSocket, 'web')).toHaveLength(2);
    },
  );

  it('is started once, whoever finds first that it does not run, and not reloaded for that', async () => {
    await bed.stop();
    // Its supervisor sees a new file, or a death, before the pass has come to it.
    bed = startGenerator(topLevel(dir, { managed: true, ...testBase(dir) }), { watchMs: 1 });
    expect(reloads(await bed.settle(web([1])))).toBe(0);
    await eventually(() => told().length > 0, { what: 'it says that it was started' });
    expect(told()).toEqual(['haproxy started']);
    const { mtimeMs } = await stat(haproxyPaths(dir).configFile);
    await eventually(() => Date.now() >= mtimeMs + 2_000, {
      what: 'a second has passed since the file came',
    });
    for (let deaths = 1; deaths <= 5; deaths += 1) {
      await killTree(await masterPid());
      expect(reloads(await bed.settle(web([1])))).toBe(0);
      await eventually(() => told().length > deaths, { what: 'it says that it was started' });
      expect(told()).toEqual(Array.from({ length: deaths + 1 }, () => 'haproxy started'));
      await eventually(async () => (await get({ port })).body === 'u1', { what: 'it serves again' });
    }
  });

  onDynamic('serves on while synapse is away, and is adopted without a reload', async () => {
    await bed.settle(web([1]));
    const pid = await masterPid();
    const workers = workersOf(await showProc());
    const load = startLoad({ port, clients: 4, connections: 'keep-alive', maxRequests: 100_000 });
    await bed.stop();
    await holds(() => isAlive(pid), { what: 'HAProxy lives', forMs: 300 });
    bed = start();
    expect(reloads(await bed.settle(web([1])))).toBe(0);
    await bed.settle(web([1, 2]));
    const { failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(workersOf(await showProc())).toEqual(workers);
  });

  onDynamic('comes back by itself after its death, with the servers that were wanted last', async () => {
    await bed.settle(web([1]));
    await bed.settle(web([1, 2]));
    const paths = haproxyPaths(dir);
    await eventually(async () => (await readFile(paths.configFile, 'utf8')).includes('u2_'), {
      what: 'the file follows',
    });
    const pid = await masterPid();
    const { wakes } = bed;
    await killTree(pid);
    await eventually(async () => (await masterPid()) !== pid, { what: 'a new master' });
    // From 3.1 on a master answers before its worker does.
    await eventually(async () => (await inRotation(paths.adminSocket, 'web')).length === 2, {
      what: 'both servers serve',
    });
    await eventually(() => bed.wakes > wakes, { what: 'the loop was woken' });
    await bed.settle(web([1, 2]));
    await eventually(async () => workersOf(await showProc(), 'old workers').length === 0, {
      what: 'no old worker is left',
    });
  });

  it('keeps no more old workers than max_old_workers: the oldest end, whatever they wait for', async () => {
    await bed.stop();
    const presets = { global: undefined, defaults: undefined, presets: { max_old_workers: 2 } };
    bed = startGenerator(topLevel(dir, { managed: true, ...presets }), { watchMs: 100 });
    await bed.settle(web([1]));
    const pid = await masterPid();
    // Each worker has a request that lasts.
    upstreams[0]!.behave('hang');
    const answers: Promise<unknown>[] = [];
    const workers: number[] = [];
    for (let count = 1; count <= 5; count += 1) {
      workers.push(workersOf(await showProc())[0]!);
      answers.push(get({ port }).catch((error: unknown) => error));
      await eventually(() => upstreams[0]!.received >= count, { what: 'the request is under way' });
      expect(reloads(await bed.settle(web([1], { backend: [`timeout server ${count}m`] })))).toBe(1);
    }
    const old = async (): Promise<readonly number[]> => workersOf(await showProc(), 'old workers');
    await eventually(async () => (await old()).length <= 2, { what: 'the oldest have ended' });
    expect([...(await old())].sort()).toEqual(workers.slice(-2).sort());
    await eventually(() => (bed.status().oldWorkers as readonly unknown[]).length === 2, {
      what: 'the status tells',
    });
    expect(await masterPid()).toBe(pid);
    upstreams[0]!.behave('answer');
    expect(await get({ port })).toEqual({ status: 200, body: 'u1' });
    // Those of workers that were ended got no answer; nobody waits for the others.
    expect(await Promise.all(answers.slice(0, 3))).toEqual(
      answers.slice(0, 3).map((): unknown => expect.any(Error)),
    );
    await Promise.all([killTree(pid), ...answers.slice(3)]);
  });

  it('starts from the last file although nobody reconciles: ZooKeeper may be down', async () => {
    await bed.settle(web([1]));
    const pid = await masterPid();
    await bed.stop();
    await killTree(pid);
    bed = start();
    await eventually(async () => (await get({ port })).status === 200, { what: 'requests are served' });
    expect(await bed.settle(web([1]))).not.toContain('waiting');
  });

  it('is started on its first file also where reloads are not wanted, and again after its death', async () => {
    await bed.stop();
    bed = startGenerator(topLevel(dir, { managed: true, do_reloads: false, ...testBase(dir) }), {
      watchMs: 20,
    });
    await bed.settle(web([1]));
    await killTree(await eventually(masterPid, { what: 'its master answers' }));
    await eventually(async () => (await get({ port })).body === 'u1', { what: 'requests are served' });
  });

  it("tells HAProxy's own words when it cannot start", async () => {
    const { global } = testBase(dir);
    const elsewhere = join(dir, 'missing');
    await bed.stop();
    // Nothing that `haproxy -c` looks at.
    const more = [...global, `chroot ${elsewhere}`];
    bed = startGenerator(topLevel(dir, { managed: true, global: more }));
    await expect(bed.reconcile(web([1]))).rejects.toThrow(/cannot chroot/i);
    const metrics = await bed.metrics();
    expect(metrics).toMatch(/smartstack_haproxy_start_total\{result="failure"\} [1-9]/);
    expect(metrics).not.toContain('smartstack_haproxy_reload_total{');
    expect(bed.logger.records.map(({ message }) => message)).toContain('haproxy could not be started');
    await mkdir(elsewhere);
    await bed.settle(web([1]));
    expect(await get({ port })).toEqual({ status: 200, body: 'u1' });
  });

  it.each([
    ['the stats page', (address: string) => ({ stats: address }), 'listen synapse-stats'],
    [
      'a section of the operator',
      (address: string) => ({
        extra_sections: { 'frontend ours': [`bind ${address}`, 'http-request deny'] },
      }),
      'frontend ours',
    ],
    [
      'the shared frontend',
      (address: string) => ({ shared_frontend: [`bind ${address}`, 'http-request deny'] }),
      'frontend shared-frontend',
    ],
  ])(
    'starts for the first time although the address of %s is taken, and listens there once it is free',
    async (_, block, section) => {
      await bed.stop();
      const stranger = await startHttpUpstream({ identity: 'stranger', host: '127.0.0.1' });
      const address = `127.0.0.1:${stranger.port}`;
      bed = startGenerator(topLevel(dir, { managed: true, ...block(address) }), { retryAddressesMs: 0 });
      await bed.settle(web([1]));
      expect(await get({ port })).toEqual({ status: 200, body: 'u1' });
      expect(await get({ port: stranger.port })).toMatchObject({ body: 'stranger' });
      const [held, ...others] = bed.status().quarantined;
      expect(held).toMatchObject({
        culprit: { kind: 'bind', section, line: `bind ${address}` },
        kept: 'left-out',
      });
      expect(others).toEqual([]);
      expect(held?.reason).toMatch(/another process listens|already in use/);
      expect(await bed.metrics()).toContain('smartstack_haproxy_quarantined 1');
      // While it stays taken, servers change and nothing is reloaded for it.
      const worker = workersOf(await showProc());
      await bed.settle(web([1, 2]));
      expect(await inRotation(haproxyPaths(dir).adminSocket, 'web')).toHaveLength(2);
      expect(workersOf(await showProc())).toEqual(worker);

      await stranger.stop();
      await bed.settle(web([1, 2]));
      expect(bed.status().quarantined).toEqual([]);
      await eventually(async () => [200, 403, 503].includes((await get({ port: stranger.port })).status), {
        what: 'HAProxy listens there',
      });
    },
  );

  it('starts without the frontend whose address is taken, and adds it once that is free', async () => {
    const other = await freePort();
    const services = { ...web([1]), other: { ...web([2]).web!, haproxy: { port: other } } };
    await bed.settle(services);
    await bed.stop();
    await killTree(await masterPid());
    const taken = await startHttpUpstream({ identity: 'taken', port });
    bed = startGenerator(topLevel(dir, { managed: true }), { retryAddressesMs: 0 });
    await eventually(
      async () => {
        await bed.reconcile(services).catch(() => undefined);
        return (await get({ port: other })).body === 'u2';
      },
      { what: 'the other service is served', timeoutMs: 10_000 },
    );
    expect((await get({ port })).body).toBe('taken');
    const { quarantined } = bed.status();
    expect(quarantined).toMatchObject([{ culprit: { kind: 'frontend', service: 'web' } }]);
    expect(await readFile(join(dir, 'haproxy.log'), 'utf8')).toMatch(/cannot bind socket/i);
    await taken.stop();
    await bed.settle(services);
    expect(await get({ port })).toEqual({ status: 200, body: 'u1' });
    expect(bed.status().quarantined).toEqual([]);
  });
});
