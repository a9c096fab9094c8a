import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { askSocket, haproxyBinary, haproxyPaths, isAlive, killAllIn } from '../harness/haproxy.ts';
import { killTree, testBase, workersOf } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { type GeneratorBed, inRotation, instanceOf, type Services, startGenerator, topLevel } from './bed.ts';

describe('a managed HAProxy that is there already', () => {
  let dir: string;
  let port: number;
  let upstreams: Upstream[];
  let bed: GeneratorBed;

  beforeEach(async () => {
    dir = makeTempDir('twice');
    port = await freePort();
    upstreams = await Promise.all(
      [1, 2].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.5.${n}` })),
    );
    bed = startGenerator(topLevel(dir, { managed: true, ...testBase(dir) }), { watchMs: 100 });
  });
  afterEach(async () => {
    await bed.stop();
    await killAllIn(dir);
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  const showProc = (): Promise<string> => askSocket(haproxyPaths(dir).masterSocket, 'show proc');
  const masterPid = async (): Promise<number> => Number(/^(\d+)\s+master/m.exec(await showProc())?.[1]);

  function web(numbers: readonly number[]): Services {
    const instances = numbers.map((n) => instanceOf(upstreams[n - 1]!));
    return { web: { instances, haproxy: { port, server_options: 'check inter 1s' } } };
  }

  it('is not doubled while it hangs', async () => {
    await bed.settle(web([1]));
    const pid = await masterPid();
    const pids = [pid, ...workersOf(await showProc())];
    for (const each of pids) process.kill(each, 'SIGSTOP');
    await bed.stop();
    bed = startGenerator(topLevel(dir, { managed: true }), { watchMs: 50, answerMs: 200, commandMs: 200 });
    await expect(bed.reconcile(web([1, 2]))).rejects.toThrow();
    await eventually(
      () => bed.logger.records.some(({ message }) => message.includes('cannot be kept running')),
      {
        what: 'the hang is reported',
      },
    );
    for (const each of pids) process.kill(each, 'SIGCONT');
    await bed.settle(web([1, 2]));
    expect(await masterPid()).toBe(pid);
    expect(await inRotation(haproxyPaths(dir).adminSocket, 'web')).toHaveLength(2);
  });

  it('is not doubled although its file and its sockets are gone', async () => {
    await bed.settle(web([1]));
    const pid = await masterPid();
    await bed.stop();
    const { configFile, adminSocket, masterSocket } = haproxyPaths(dir);
    for (const each of [configFile, adminSocket, masterSocket]) await rm(each);
    bed = startGenerator(topLevel(dir, { managed: true, ...testBase(dir) }), { reloadMs: 300 });
    await expect(bed.reconcile(web([1]))).rejects.toThrow('its master is silent');
    expect(await isAlive(pid)).toBe(true);
    await expect(stat(masterSocket)).rejects.toThrow('ENOENT');
    await killTree(pid);
    await bed.settle(web([1]));
    expect(await get({ port })).toEqual({ status: 200, body: 'u1' });
  });

  it('is not joined by a second where somebody starts it on the file while the registry is read', async () => {
    // Nothing was there when synapse started.
    await holds(() => bed.logger.records.every(({ message }) => message !== 'haproxy started'), {
      what: 'nothing is started',
      forMs: 200,
    });
    const { configFile } = haproxyPaths(dir);
    await writeFile(configFile, ['global', ...testBase(dir).global, ''].join('\n'));
    const other = spawn(haproxyBinary, ['-db', '-f', configFile], { stdio: 'ignore' });
    try {
      await eventually(async () => (await askSocket(haproxyPaths(dir).adminSocket, 'show info')) !== '', {
        what: 'it answers',
      });
      await rm(haproxyPaths(dir).adminSocket);
      await expect(bed.reconcile(web([1]))).rejects.toThrow('has no master socket (-S) runs on');
    } finally {
      const ended = once(other, 'exit');
      other.kill('SIGKILL');
      await ended;
    }
    await bed.settle(web([1]));
    expect(await get({ port })).toEqual({ status: 200, body: 'u1' });
  });
});
