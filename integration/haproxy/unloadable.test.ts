import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get, startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import {
  type GeneratorBed,
  inRotation,
  instanceOf,
  reloads,
  serverLines,
  type Services,
  startGenerator,
  topLevel,
} from './bed.ts';

describe('a file that passes every check and cannot be loaded', () => {
  let dir: string;
  let ports: readonly number[];
  let haproxy: Haproxy;
  let upstreams: Upstream[];
  let bed: GeneratorBed;

  /** The operator's HAProxy; `reload` below finds it by its pid file. */
  async function start(config?: string): Promise<void> {
    haproxy = await startHaproxy({ dir, ...(config !== undefined && { config }) });
    await writeFile(join(dir, 'pid'), `${haproxy.pid}\n`);
  }

  beforeEach(async () => {
    dir = makeTempDir('unl');
    ports = [await freePort(), await freePort()];
    upstreams = await Promise.all(
      [1, 2, 3].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.16.${n}` })),
    );
    const { global, defaults } = testBase(dir);
    const idle = ['listen idle', `bind 127.0.0.1:${await freePort()}`, ''];
    await start(['global', ...global, 'defaults', ...defaults, ...idle].join('\n'));
  });
  afterEach(async () => {
    await bed.stop();
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  const service = (numbers: readonly number[], port: number, bind: readonly string[]): Services[string] => ({
    instances: numbers.map((n) => instanceOf(upstreams[n - 1]!)),
    haproxy: { port, server_options: 'check inter 1s', frontend: bind },
  });
  /** `web`, and `bad` with what only shows when HAProxy binds: a socket in a folder that does not exist. */
  const services = (numbers: readonly number[], bind: readonly string[]): Services => ({
    web: service(numbers, ports[0]!, []),
    bad: service([3], ports[1]!, bind),
  });
  /** Waits until `web` is served by exactly these, while `bad` cannot be loaded. */
  const follows = (numbers: readonly number[]): Promise<unknown> =>
    eventually(
      async () => {
        await bed.reconcile(services(numbers, nowhere));
        const names = await inRotation(haproxy.adminSocket, 'web');
        return names.map((name) => name.slice(0, 2)).join() === numbers.map((n) => `u${n}`).join();
      },
      { what: `web is served by ${numbers.join()}`, timeoutMs: 20_000 },
    );
  const nowhere = ['bind unix@/nowhere/bad.sock'];

  it.each([
    ['its master tells', {}],
    ['only the worker that stays tells', { master_socket_path: undefined }],
  ])('does not stay on disk, and the registry is followed (%s)', async (_, settings) => {
    const block = { ...topLevel(dir), reload_command: `kill -USR2 $(cat ${dir}/pid)`, ...settings };
    const begin = (): GeneratorBed =>
      startGenerator({ section_keywords: 'modern', ...block }, { reloadMs: 1_500 });
    bed = begin();
    await bed.settle({ web: service([1], ports[0]!, []) });
    const worker = await haproxy.ask('show info').then((info) => /^Pid: (\d+)$/m.exec(info)?.[1]);
    const load = startLoad({ port: ports[0]!, clients: 2, connections: 'fresh', maxRequests: 50_000 });

    await expect(bed.reconcile(services([1], nowhere))).rejects.toThrow();
    expect(await bed.metrics()).not.toMatch(/config_check_total\{result="invalid"\}/);
    // Servers go on to be followed, by the process and by the file, which HAProxy can load again.
    expect(await bed.reconcile(services([1, 2], nowhere))).toMatchObject({ outcome: 'waiting' });
    expect(await inRotation(haproxy.adminSocket, 'web')).toHaveLength(2);
    await eventually(async () => (await serverLines(haproxy.configFile, 'web')).length === 2, {
      what: 'the file holds the servers of now',
      timeoutMs: 15_000,
    });
    expect(await readFile(haproxy.configFile, 'utf8')).not.toContain('nowhere');
    expect(await haproxy.ask('show info')).toContain(`\nPid: ${worker}\n`);
    expect((await load.stop()).failures).toEqual([]);

    // The next restart, by whomever, lands on routes that work.
    await haproxy.stop();
    await start();
    expect((await get({ port: ports[0]! })).status).toBe(200);
    await follows([2]);

    // Also when nobody can tell what it loaded, for hands were at the file, and synapse has just been started.
    await haproxy.stop();
    await bed.stop();
    await writeFile(haproxy.configFile, `${await readFile(haproxy.configFile, 'utf8')}# by hand\n`);
    await start();
    bed = begin();
    await follows([1]);
    expect(await readFile(haproxy.configFile, 'utf8')).not.toMatch(/nowhere|by hand/);

    // Once it can be loaded, one reload brings it.
    expect(reloads(await bed.settle(services([1], [])))).toBe(1);
    expect(await get({ port: ports[1]! })).toEqual({ status: 200, body: 'u3' });
  });

  it('does not let in what is held back of another service meanwhile', async () => {
    const block = { ...topLevel(dir), reload_command: `kill -USR2 $(cat ${dir}/pid)` };
    const lenient = { section_keywords: 'modern', registry_server_options: 'any' };
    bed = startGenerator({ ...lenient, ...block }, { reloadMs: 1_500 });
    const refused = { ...instanceOf(upstreams[1]!), haproxyServerOptions: 'inter 2s fall banana' };
    const web = { ...service([1], ports[0]!, []), instances: [instanceOf(upstreams[0]!), refused] };
    await bed.settle({ web });
    const held = [{ culprit: { kind: 'server', service: 'web' }, kept: 'left-out' }];
    expect(bed.status().quarantined).toMatchObject(held);
    const both = { web, bad: service([3], ports[1]!, nowhere) };
    await expect(bed.reconcile(both)).rejects.toThrow();
    const rejections = async (): Promise<number> =>
      Number(/config_check_total\{result="invalid"\} (\d+)/.exec(await bed.metrics())?.[1]);
    const before = await rejections();
    for (let pass = 0; pass < 3; pass += 1) {
      expect(await bed.reconcile(both)).toMatchObject({ outcome: 'waiting' });
      expect(bed.status().quarantined).toMatchObject(held);
    }
    await bed.settle({ web });
    expect(bed.status().quarantined).toMatchObject(held);
    // A check that finds it once more would say that it had been let go.
    expect(await rejections()).toBe(before);
  });

  it('stays where we are told to stop while it is loaded', async () => {
    const begun = join(dir, 'begun');
    const reload = `kill -USR2 $(cat ${dir}/pid); touch ${begun}; exec sleep 60`;
    bed = startGenerator({ ...topLevel(dir), reload_command: reload });
    const pass = bed.reconcile({ web: service([1], ports[0]!, []) });
    const ended = pass.then(
      () => 'in step',
      () => 'stopped',
    );
    await eventually(() => stat(begun), { what: 'the reload has begun' });
    await eventually(async () => (await get({ port: ports[0]! })).status === 200, { what: 'web is served' });
    await bed.stop();
    expect(await ended).toBe('stopped');
    const messages = bed.logger.records.map(({ message }) => message);
    expect(messages).not.toContain('haproxy could not be reloaded');
    // The next restart, by whomever, lands on our routes.
    await haproxy.stop();
    await start();
    expect((await get({ port: ports[0]! })).status).toBe(200);
  });

  it.each([
    ['its worker tells', {}, 'waiting'],
    ['nobody answers on the socket that we know', { socket_file_path: '/nowhere/admin.sock' }, undefined],
    ['there is no socket', { do_socket: false, master_socket_path: undefined }, 'waiting'],
  ])("gives way to the operator's own when it is our first (%s)", async (_, settings, waits) => {
    const mine = await readFile(haproxy.configFile, 'utf8');
    await chmod(haproxy.configFile, 0o640);
    const reload = `kill -USR2 $(cat ${dir}/pid); sleep 0.3; grep -q nowhere ${haproxy.configFile} && exit 1; exit 0`;
    const block = { ...topLevel(dir), reload_command: reload, ...settings };
    const begin = (): GeneratorBed => startGenerator({ section_keywords: 'modern', ...block }, timing);
    const timing = { reloadMs: 1_500, answerMs: 500 };
    bed = begin();
    const copy = `${haproxy.configFile}.before-synapse`;
    const told = 'the haproxy.cfg that was there is kept';
    for (let pass = 0; pass < 2; pass += 1) {
      await expect(bed.reconcile(services([1], nowhere))).rejects.toThrow();
      expect(await readFile(haproxy.configFile, 'utf8')).toBe(mine);
      expect(await readFile(copy, 'utf8')).toBe(mine);
      for (const path of [haproxy.configFile, copy]) expect((await stat(path)).mode & 0o777).toBe(0o640);
      const again = (): Promise<unknown> => bed.reconcile(services([1], nowhere));
      const isTried = (): Promise<boolean> =>
        again().then(
          () => false,
          () => true,
        );
      // Not before the same reload may be tried once more, which is soon.
      if (waits === undefined) await eventually(isTried, { what: 'it is tried again' });
      else expect(await again()).toMatchObject({ outcome: waits });
      expect(await readFile(haproxy.configFile, 'utf8')).toBe(mine);
      const tellings = bed.logger.records.filter(({ message }) => message === told);
      expect(tellings).toHaveLength(pass === 0 ? 1 : 0);
      // Also synapse that is started anew, and does not remember.
      await bed.stop();
      bed = begin();
    }
    // Told when it was made, and not by those who find it.
    expect(bed.logger.records.map(({ message }) => message)).not.toContain(told);

    // Its restart, by whomever, finds what worked. What can be loaded is loaded, and the copy stays.
    await haproxy.stop();
    await start();
    expect(await haproxy.ask('show stat')).toContain('idle,FRONTEND');
    await bed.reconcile(services([1], []));
    const answer = (): Promise<string | undefined> =>
      get({ port: ports[1]! }).then(
        ({ body }) => body,
        () => undefined,
      );
    await eventually(async () => (await answer()) === 'u3', { what: 'what can be loaded is served' });
    expect(await readFile(copy, 'utf8')).toBe(mine);
  });
});
