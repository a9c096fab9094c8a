import { mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, haproxyPaths, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
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

describe("the operator's switches", () => {
  let dir: string;
  let port: number;
  let haproxy: Haproxy;
  let upstreams: Upstream[];
  let bed: GeneratorBed | undefined;

  beforeEach(async () => {
    dir = makeTempDir('mod');
    port = await freePort();
    upstreams = await Promise.all(
      [1, 2].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.2.${n}` })),
    );
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
    haproxy = await startHaproxy({ dir, config: lines.join('\n') });
  });
  afterEach(async () => {
    await bed?.stop();
    bed = undefined;
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  function web(numbers: readonly number[], more: Readonly<Record<string, unknown>> = {}): Services {
    return {
      web: { instances: numbers.map((n) => instanceOf(upstreams[n - 1]!)), haproxy: { port, ...more } },
    };
  }

  it('reload_command is a shell line, and its success is verified', async () => {
    const log = join(dir, 'reloads');
    const reload_command = `echo "$(date) reload" >> ${log} && kill -USR2 ${haproxy.pid}`;
    bed = startGenerator(topLevel(dir, { reload_command, master_socket_path: undefined }));
    expect(reloads(await bed.settle(web([1])))).toBe(1);
    expect(await get({ port })).toEqual({ status: 200, body: 'u1' });
    expect((await readFile(log, 'utf8')).split('\n')).toHaveLength(2);
    // Without a master nobody can tell how many old workers there are: not none.
    expect(bed.status().oldWorkers).toBe('unknown');
    expect(await bed.metrics()).not.toMatch(/^smartstack_haproxy_old_workers /m);
  });

  it('a reload_command that fails, or does nothing, is a failure with its output', async () => {
    bed = startGenerator(topLevel(dir, { reload_command: 'echo broken; exit 7' }));
    await expect(bed.reconcile(web([1]))).rejects.toThrow(/status 7.*broken/);
    await bed.stop();
    bed = startGenerator(topLevel(dir, { reload_command: 'true' }), { reloadMs: 300 });
    await expect(bed.reconcile(web([1]))).rejects.toThrow(/300 ms/);
    expect(await bed.metrics()).toContain(
      'smartstack_haproxy_reload_total{reason="first-configuration",result="failure"} 1',
    );
  });

  it('do_socket: false reloads for every change, and only for changes', async () => {
    bed = startGenerator(topLevel(dir, { do_socket: false }));
    expect(reloads(await bed.settle(web([1])))).toBe(1);
    expect(reloads(await bed.settle(web([1])))).toBe(0);
    expect(reloads(await bed.settle(web([1, 2])))).toBe(1);
    // Without a socket the generator cannot wait for the old worker to stop listening on it.
    await eventually(async () => (await inRotation(haproxy.adminSocket, 'web')).length === 2, {
      what: 'the new worker answers',
    });
  });

  onDynamic('do_reloads: false changes servers at run time and tells what it would reload for', async () => {
    bed = startGenerator(topLevel(dir));
    await bed.settle(web([1]));
    await bed.stop();
    const worker = await haproxy.workerPid();
    bed = startGenerator(topLevel(dir, { do_reloads: false }));
    await bed.settle(web([1, 2], { backend: ['timeout server 3s'] }));
    expect(bed.status().reloadReasons.map(({ kind }) => kind)).toEqual(['lines-changed']);
    expect(await inRotation(haproxy.adminSocket, 'web')).toHaveLength(2);
    expect(await haproxy.workerPid()).toBe(worker);
    expect(await readFile(haproxy.configFile, 'utf8')).toContain('timeout server 3s');
  });

  it('do_writes: false leaves every file alone', async () => {
    const before = await readFile(haproxy.configFile, 'utf8');
    bed = startGenerator(topLevel(dir, { do_writes: false, do_reloads: false }));
    await bed.reconcile(web([1]));
    await bed.stop();
    expect(await readFile(haproxy.configFile, 'utf8')).toBe(before);
    await expect(stat(`${haproxy.configFile}.loaded.json`)).rejects.toThrow(/ENOENT/);
  });

  onDynamic(
    'a check_command that says no keeps the old file, says what it printed, and reloads nothing (trap 20)',
    async () => {
      bed = startGenerator(topLevel(dir, { do_checks: true, check_command: 'true' }));
      await bed.settle(web([1]));
      const before = await readFile(haproxy.configFile, 'utf8');
      const worker = await haproxy.workerPid();
      bed.generator.configure(topLevel(dir, { do_checks: true, check_command: 'echo never && false' }));
      // The line alone would be a reason to reload.
      await bed.settle(web([1, 2], { backend: ['timeout server 3s'] }));
      // Servers go on through the Runtime API; the file waits for somebody to mend the check.
      expect(await inRotation(haproxy.adminSocket, 'web')).toHaveLength(2);
      await eventually(
        () => bed?.logger.records.some(({ message }) => message.includes('the old file stays')),
        { what: 'it is told' },
      );
      expect(await readFile(haproxy.configFile, 'utf8')).toBe(before);
      expect(await haproxy.workerPid()).toBe(worker);
      bed.generator.configure(topLevel(dir));
      await bed.settle(web([1, 2]));
      await eventually(async () => (await serverLines(haproxy.configFile, 'web')).length === 2, {
        what: 'the file follows again',
      });
    },
  );

  it('candidate_config_file_path is where check_command finds the new file, before it takes the place of the old', async () => {
    const [candidate, seen, old] = ['next.cfg', 'seen.cfg', 'old.cfg'].map((name) => join(dir, name));
    const { configFile } = haproxy;
    const before = await readFile(configFile, 'utf8');
    const check_command = `cp ${configFile} ${old} && cp ${candidate} ${seen}`;
    const block = { do_checks: true, check_command, candidate_config_file_path: candidate };
    bed = startGenerator(topLevel(dir, block));
    await bed.settle(web([1]));
    const now = await readFile(configFile, 'utf8');
    expect(now).not.toBe(before);
    expect(await readFile(seen!, 'utf8')).toBe(now);
    expect(await readFile(old!, 'utf8')).toBe(before);
    await expect(stat(candidate!)).rejects.toThrow(/ENOENT/);
  });

  onDynamic('a file that cannot be written does not hold servers up, and is made up for', async () => {
    const folder = join(dir, 'cfg');
    await mkdir(folder);
    const config_file_path = join(folder, 'haproxy.cfg');
    // HAProxy reads through a link, so that the folder can go away under synapse.
    await rename(haproxy.configFile, config_file_path);
    await symlink(config_file_path, haproxy.configFile);
    bed = startGenerator(topLevel(dir, { config_file_path }));
    await bed.settle(web([1]));
    await rename(folder, `${folder}.away`);
    // What synapse had still to write may make the folder anew in between.
    await eventually(
      async () => {
        await rm(folder, { recursive: true, force: true });
        await writeFile(folder, 'a file where the folder was');
        return true;
      },
      { what: 'no folder is there' },
    );
    // It throws already if the file of the pass before was still on its way; servers are changed either way.
    await bed.reconcile(web([1, 2])).catch(() => undefined);
    expect(await inRotation(haproxy.adminSocket, 'web')).toHaveLength(2);
    await eventually(() => bed?.status().file.problem !== undefined, { what: 'the problem is told' });
    await expect(bed.reconcile(web([1, 2]))).rejects.toThrow(/cannot write/i);
    await rm(folder);
    await rename(`${folder}.away`, folder);
    await bed.settle(web([1, 2]));
    expect(await serverLines(config_file_path, 'web')).toHaveLength(2);
    expect(bed.status().file.problem).toBeUndefined();
  });

  onDynamic('several sockets of one process are one process', async () => {
    const second = join(dir, 'second.sock');
    const { global, defaults } = testBase(dir);
    const block = topLevel(dir, {
      ...{ global: [...global, `stats socket ${second} mode 600 level admin`], defaults },
      socket_file_path: [haproxyPaths(dir).adminSocket, second],
    });
    bed = startGenerator(block);
    await bed.settle(web([1]));
    const outcomes = await bed.settle(web([1, 2]));
    expect(outcomes).toContain('runtime');
    expect(reloads(outcomes)).toBe(0);
    expect(await bed.metrics()).toContain('smartstack_haproxy_runtime_command_total{result="done"} 1');
    expect(await serversOf(second, 'web')).toHaveLength(2);
  });

  it('a socket path that leads nowhere does not end in a storm of reloads', async () => {
    bed = startGenerator(topLevel(dir, { socket_file_path: join(dir, 'nowhere.sock') }), { answerMs: 200 });
    expect((await bed.reconcile(web([1]))).outcome).toBe('reload');
    expect(await get({ port })).toEqual({ status: 200, body: 'u1' });
    const worker = await haproxy.workerPid();
    for (let times = 0; times < 5; times += 1) await bed.reconcile(web([1]));
    expect(await haproxy.workerPid()).toBe(worker);
    expect(
      bed.logger.records.some(({ message }) => message.includes('does not answer on its admin socket')),
    ).toBe(true);
  });

  onDynamic(
    'a worker that is not heard until after its reload is known by that, and not reloaded again',
    async () => {
      const link = join(dir, 'link.sock');
      const connect = (): Promise<void> => symlink(haproxyPaths(dir).adminSocket, link);
      const block = topLevel(dir, {
        socket_file_path: link,
        reload_command: `rm ${link} && kill -USR2 ${haproxy.pid}`,
      });
      bed = startGenerator(block, { answerMs: 200 });
      await connect();
      expect((await bed.reconcile(web([1]))).outcome).toBe('reload');
      await connect();
      const outcomes = await bed.settle(web([1, 2]));
      expect(outcomes).toContain('runtime');
      expect(reloads(outcomes)).toBe(0);
    },
  );

  it('an HAProxy that reads another file is told about, not reloaded for ever', async () => {
    bed = startGenerator(topLevel(dir, { config_file_path: join(dir, 'other.cfg') }));
    await bed.reconcile(web([1]));
    const worker = await haproxy.workerPid();
    const again = await bed.reconcile(web([1]));
    expect(again.outcome).toBe('waiting');
    expect(bed.status().reloadReasons.map(({ kind }) => kind)).toContain('process-not-ours');
    expect(await haproxy.workerPid()).toBe(worker);
  });
});
