import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runningHaproxies } from '../../packages/synapse/src/generators/haproxy/process/runningHaproxy.ts';
import { eventually } from '../harness/eventually.ts';
import { haproxyPaths, isAlive, killTree, testBase } from '../harness/haproxy.ts';
import { get, type Load, startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import {
  type GeneratorBed,
  inRotation,
  instanceOf,
  reloads,
  type Services,
  startGenerator,
  topLevel,
} from './bed.ts';

describe('settings of a managed HAProxy that change while it serves', () => {
  let dir: string;
  let port: number;
  let upstreams: Upstream[];
  let bed: GeneratorBed;
  let load: Load;

  const block = (more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> =>
    topLevel(dir, { managed: true, ...more });

  async function parentOf(pid: number): Promise<number> {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    return Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
  }

  /** The HAProxies of this test: masters, not workers. */
  async function masters(): Promise<readonly number[]> {
    const ours = (await runningHaproxies()).filter(({ files }) => files.some((file) => file.startsWith(dir)));
    const pids = new Set(ours.map(({ pid }) => pid));
    const tops = await Promise.all([...pids].map(async (pid) => [pid, await parentOf(pid)] as const));
    const alive = await Promise.all(tops.map(([pid]) => isAlive(pid)));
    return tops.flatMap(([pid, parent], index) => (pids.has(parent) || !alive[index] ? [] : [pid]));
  }

  function web(numbers: readonly number[], more: Readonly<Record<string, unknown>> = {}): Services {
    const instances = numbers.map((n) => instanceOf(upstreams[n - 1]!));
    return { web: { instances, haproxy: { port, ...more } } };
  }

  beforeEach(async () => {
    dir = makeTempDir('hot');
    port = await freePort();
    upstreams = await Promise.all(
      [1, 2].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.13.${n}` })),
    );
    bed = startGenerator(block(), { watchMs: 50 });
    await bed.settle(web([1]));
    load = startLoad({ port, clients: 3, connections: 'fresh', paceMs: 5, maxRequests: 50_000 });
  });
  afterEach(async () => {
    await load.stop();
    await bed.stop();
    for (const pid of await masters()) await killTree(pid);
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  /** Both kinds of change still reach the HAProxy that was there, and nobody noticed anything. */
  async function followsOn(master: readonly number[], adminSocket = haproxyPaths(dir).adminSocket) {
    expect(await bed.settle(web([1, 2]))).not.toContain('waiting');
    expect(await inRotation(adminSocket, 'web')).toHaveLength(2);
    expect(reloads(await bed.settle(web([1, 2], { backend: ['timeout server 9s'] })))).toBe(1);
    expect(await inRotation(adminSocket, 'web')).toHaveLength(2);
    expect(await masters()).toEqual(master);
    expect((await load.stop(10)).failures).toEqual([]);
  }

  it('master_socket_path: the running one keeps its socket, the next one has the new', async () => {
    const before = await masters();
    expect(before).toHaveLength(1);
    const moved = join(dir, 'moved.sock');
    bed.generator.configure(block({ master_socket_path: moved }));
    await followsOn(before);
    const told = bed.logger.records.filter(({ message }) => message.includes('keeps the master socket'));
    expect(told).toHaveLength(1);
    expect(told[0]?.fields).toMatchObject({ configured: moved });

    // Also for a synapse that never knew the old path.
    await bed.stop();
    bed = startGenerator(block({ master_socket_path: moved }), { watchMs: 50 });
    expect(reloads(await bed.settle(web([1, 2], { backend: ['timeout server 8s'] })))).toBe(1);
    expect(await masters()).toEqual(before);

    await killTree(before[0]!);
    await eventually(async () => (await get({ port })).status === 200, { what: 'it was started anew' });
    const [next] = await masters();
    const all = await runningHaproxies();
    expect(all.find(({ pid }) => pid === next)?.masterSocket).toBe(moved);
  });

  it('socket_file_path: one reload makes the new socket, in the same HAProxy', async () => {
    const before = await masters();
    const moved = join(dir, 'adm2.sock');
    const { adminSocket } = haproxyPaths(dir);
    const global = testBase(dir).global.map((line) => line.replace(adminSocket, moved));
    bed.generator.configure(block({ socket_file_path: moved, global }));
    expect(reloads(await bed.settle(web([1])))).toBe(1);
    await followsOn(before, moved);
  });

  it('managed off and on again: neither ends it nor starts a second one', async () => {
    const before = await masters();
    bed.generator.configure(block({ managed: false }));
    expect(reloads(await bed.settle(web([1])))).toBe(0);
    bed.generator.configure(block({ managed: true, master_socket_path: join(dir, 'other.sock') }));
    expect(reloads(await bed.settle(web([1])))).toBe(0);
    await followsOn(before);
  });

  it('config_file_path: the file in use stays, which is said', async () => {
    const before = await masters();
    bed.generator.configure(block({ config_file_path: join(dir, 'elsewhere.cfg') }));
    await followsOn(before);
    const told = bed.logger.records.filter(({ message }) => message.includes('config_file_path'));
    expect(told.map(({ fields }) => fields)).toMatchObject([{ inUse: haproxyPaths(dir).configFile }]);
  });

  it('config_file_path over a restart of synapse: no second HAProxy, and a reload says what to do', async () => {
    const before = await masters();
    await bed.stop();
    bed = startGenerator(block({ config_file_path: join(dir, 'elsewhere.cfg') }), { watchMs: 50 });
    await expect(bed.reconcile(web([1, 2]))).rejects.toThrow(
      /was started on .*haproxy\.cfg, not on .*stop it/,
    );
    expect(await masters()).toEqual(before);
    expect((await load.stop()).failures).toEqual([]);
    await killTree(before[0]!);
    await bed.settle(web([1, 2]));
    expect(await get({ port })).toMatchObject({ status: 200 });
    expect(await masters()).toHaveLength(1);
  });

  it('an HAProxy on our file without a master socket is not doubled', async () => {
    const [pid] = await masters();
    await bed.stop();
    await load.stop();
    await killTree(pid!);
    const { configFile } = haproxyPaths(dir);
    const foreign = spawn('haproxy', ['-db', '-f', configFile], { stdio: 'ignore' });
    await eventually(async () => (await get({ port })).status === 200, { what: 'the other one serves' });
    bed = startGenerator(block(), { watchMs: 50 });
    await eventually(
      () => bed.logger.records.some(({ fields }) => JSON.stringify(fields).includes('no master socket')),
      { what: 'it is told' },
    );
    expect(await masters()).toEqual([foreign.pid]);
    foreign.kill('SIGKILL');
    await eventually(async () => !(await masters()).includes(foreign.pid!), { what: 'it is gone' });
    await bed.settle(web([1]));
    expect(await get({ port })).toMatchObject({ status: 200 });
  });
});
