import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, readlink, rename, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { capabilitiesOf } from '../../packages/synapse/src/generators/haproxy/plan/capabilities.ts';
import { eventually } from '../harness/eventually.ts';
import {
  askSocket,
  type Haproxy,
  haproxyBinary,
  haproxyPaths,
  killTree,
  startHaproxy,
  testBase,
  workersOf,
} from '../harness/haproxy.ts';
import { get, startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { type GeneratorBed, instanceOf, reloads, type Services, startGenerator, topLevel } from './bed.ts';

/** An executable, and the version that it names. */
interface Executable {
  readonly path: string;
  readonly version: string;
}

function run(
  file: string,
  args: readonly string[],
): Promise<{ readonly status: number; readonly output: string }> {
  return new Promise((done) =>
    execFile(file, args, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      done({ status, output: stdout + stderr });
    }),
  );
}

async function executable(path: string): Promise<Executable> {
  const { output } = await run(path, ['-v']);
  const version = /^HA-?Proxy version (\S+)/m.exec(output)?.[1];
  if (version === undefined) throw new Error(`${path} is no HAProxy: ${output}`);
  return { path, version };
}

/** Of `SMARTSTACK_HAPROXY_VERSIONS`; without it, twice the one that is installed, at two paths. */
const listed = (process.env.SMARTSTACK_HAPROXY_VERSIONS ?? '').split(':').filter((path) => path !== '');

describe('another version of HAProxy', () => {
  let dir: string;
  let port: number;
  let upstreams: Upstream[];
  let bed: GeneratorBed | undefined;
  let haproxy: Haproxy | undefined;
  let versions: Executable[];
  let installed: string;

  beforeEach(async () => {
    dir = makeTempDir('upg');
    port = await freePort();
    upstreams = await Promise.all(
      [1, 2, 3].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.6.${n}` })),
    );
    installed = join(dir, 'haproxy');
    const paths = [...listed.map((path) => resolve(path))];
    if (paths.length < 2) {
      const { output } = await run('/bin/sh', ['-c', `command -v ${haproxyBinary}`]);
      for (const name of ['one', 'two']) {
        await mkdir(join(dir, name));
        await cp(output.trim(), join(dir, name, 'haproxy'));
        paths.push(join(dir, name, 'haproxy'));
      }
    }
    versions = await Promise.all(paths.map(executable));
  });
  afterEach(async () => {
    const master = await masterPid().catch(() => undefined);
    await bed?.stop();
    bed = undefined;
    if (haproxy !== undefined) await haproxy.stop();
    else if (master !== undefined) await killTree(master);
    haproxy = undefined;
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  const showProc = (): Promise<string> => askSocket(haproxyPaths(dir).masterSocket, 'show proc');
  const masterPid = async (): Promise<number> => Number(/^(\d+)\s+master/m.exec(await showProc())![1]);
  const workerPid = async (): Promise<number> => workersOf(await showProc())[0] ?? -1;

  /** Puts an executable where the package has it, as an upgrade of the package does. */
  async function install({ path }: Executable): Promise<void> {
    await symlink(path, `${installed}.new`);
    await rename(`${installed}.new`, installed);
  }

  function web(numbers: readonly number[], more: Readonly<Record<string, unknown>> = {}): Services {
    const instances = numbers.map((n) => instanceOf(upstreams[n - 1]!));
    return { web: { instances, haproxy: { port, server_options: 'check inter 1s', ...more } } };
  }

  function start(more: Readonly<Record<string, unknown>> = {}): GeneratorBed {
    return startGenerator(
      topLevel(dir, { haproxy_binary: installed, state_file_path: null, ...testBase(dir), ...more }),
      {
        watchMs: 50,
      },
    );
  }

  /** The worker that answers is this executable, and servers come and go as its version can have them. */
  async function isFollowed({ path, version }: Executable, generator: GeneratorBed): Promise<void> {
    expect(await readlink(`/proc/${await workerPid()}/exe`)).toBe(path);
    expect(await askSocket(haproxyPaths(dir).adminSocket, 'show info')).toContain(`Version: ${version}\n`);
    const before = await workerPid();
    const outcomes = await generator.settle(web([1, 2, 3]));
    const isDynamic = capabilitiesOf(version).dynamicServers;
    expect(reloads(outcomes), version).toBe(isDynamic ? 0 : 1);
    expect((await workerPid()) === before).toBe(isDynamic);
    await eventually(() => servedBy(3), { what: `three serve on ${version}` });
    await generator.settle(web([1, 2]));
    await eventually(() => servedBy(2), { what: `two serve on ${version}` });
  }

  async function servedBy(count: number): Promise<boolean> {
    const seen = new Set<string>();
    for (let i = 0; i < 4 * count; i += 1) seen.add((await get({ port })).body);
    return seen.size === count;
  }

  /** All pairs of neighbours, up and down again. */
  function steps(): readonly (readonly [Executable, Executable])[] {
    const way = [...versions, ...versions.slice(0, -1).reverse()];
    return way.slice(1).map((to, index) => [way[index]!, to]);
  }

  it('is taken over by the next reload of a managed HAProxy, and no request fails', async () => {
    await install(versions[0]!);
    bed = start({ managed: true });
    await bed.settle(web([1, 2]));
    await isFollowed(versions[0]!, bed);
    for (const [index, to] of versions.slice(1).entries()) {
      const load = startLoad({ port, clients: 4, connections: 'fresh', maxRequests: 50_000 });
      await install(to);
      const master = await masterPid();
      await bed.settle(web([1, 2], { backend: [`timeout server ${index + 4}s`] }));
      await eventually(async () => (await readlink(`/proc/${await workerPid()}/exe`)) === to.path, {
        what: `the worker is ${to.version}`,
      });
      // The master is the same process: it executed the other file.
      expect(await masterPid()).toBe(master);
      const { failures } = await load.stop(20);
      expect(failures, to.version).toEqual([]);
      await bed.settle(web([1, 2]));
      await isFollowed(to, bed);
    }
  }, 180_000);

  it('starts on the file that the one before it left, up and down, after a kill of a managed one', async () => {
    await install(versions[0]!);
    bed = start({ managed: true });
    await bed.settle(web([1, 2]));
    for (const [, to] of steps()) {
      await install(to);
      await killTree(await masterPid());
      await bed.settle(web([1, 2]));
      await eventually(() => servedBy(2), { what: `${to.version} serves`, timeoutMs: 15_000 });
      await bed.settle(web([1, 2]));
      await isFollowed(to, bed);
    }
  }, 180_000);

  it('is started by a service manager, up and down: the file suits it before it starts', async () => {
    await install(versions[0]!);
    const { global, defaults } = testBase(dir);
    const idle = ['global', ...global, 'defaults', ...defaults, 'listen idle'];
    const first = [...idle, `bind 127.0.0.1:${await freePort()}`, ''].join('\n');
    haproxy = await startHaproxy({ dir, config: first, binary: versions[0]!.path });
    bed = start();
    await bed.settle(web([1, 2]));
    for (const [, to] of steps()) {
      await install(to);
      const { configFile } = haproxyPaths(dir);
      const generator = bed;
      // Nobody calls the generator here but the test, as its loop would.
      await eventually(
        async () => {
          await generator.reconcile(web([1, 2]));
          return (await run(to.path, ['-c', '-f', configFile])).status === 0;
        },
        { what: `${to.version} takes the file`, timeoutMs: 15_000 },
      );
      await bed.settle(web([1, 2]));
      await haproxy.kill();
      haproxy = await startHaproxy({ dir, binary: to.path });
      await bed.settle(web([1, 2]));
      await eventually(() => servedBy(2), { what: `${to.version} serves`, timeoutMs: 15_000 });
      await isFollowed(to, bed);
    }
  }, 180_000);

  /** An executable that says that it is a later one, and is not: from 3.3 on no frontend may have the name of a backend. */
  async function makeLater({ path }: Executable): Promise<string> {
    const later = join(dir, 'later');
    const script = ['#!/bin/sh', '[ "$1" = -v ] && echo "HAProxy version 99.0" && exit', `exec ${path} "$@"`];
    await writeFile(later, [...script, ''].join('\n'), { mode: 0o755 });
    return later;
  }

  it('is given a file that suits it although a service in it is the one of before', async () => {
    const [own] = versions;
    await install(own!);
    bed = start({ managed: true });
    const generator = bed;
    await generator.settle(web([1, 2]));
    const bad = web([1, 2], { backend: ['timeout server never'] });
    await generator.settle(bad);
    expect(generator.status().quarantined).toMatchObject([{ kept: 'last-good' }]);
    const { wakes } = generator;
    await install({ path: await makeLater(own!), version: '' });
    await eventually(() => generator.wakes > wakes, { what: 'the generator asks for a pass' });
    await generator.settle(bad);
    expect(generator.status().quarantined).toMatchObject([{ kept: 'last-good' }]);
    expect(await readFile(haproxyPaths(dir).configFile, 'utf8')).toMatch(/^frontend web:in$/m);
    await eventually(() => servedBy(2), { what: 'both serve' });
  });

  it('is noticed as soon as it is installed, and the file suits it before anybody starts it', async () => {
    const [own] = versions;
    const later = await makeLater(own!);
    await install(own!);
    bed = start({ managed: true });
    const generator = bed;
    await generator.settle(web([1, 2]));
    const { configFile } = haproxyPaths(dir);
    const before = await readFile(configFile, 'utf8');
    for (const [path, title] of [
      [later, 'frontend web:in'],
      [own!.path, /^frontend .*$/m.exec(before)![0]],
    ] as const) {
      const { wakes } = generator;
      await install({ path, version: '' });
      await eventually(() => generator.wakes > wakes, { what: 'the generator asks for a pass' });
      await generator.settle(web([1, 2]));
      expect(await readFile(configFile, 'utf8')).toContain(`\n${title}\n`);
      await eventually(() => servedBy(2), { what: 'both serve' });
    }
    expect(await readFile(configFile, 'utf8')).toBe(before);
    const told = generator.logger.records.filter(({ message }) => message === 'another haproxy is installed');
    expect(told).toHaveLength(2);
  });
});
