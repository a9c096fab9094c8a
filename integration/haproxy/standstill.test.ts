import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askSocket, haproxyPaths, killAllIn, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { type GeneratorBed, instanceOf, reloads, type Services, startGenerator, topLevel } from './bed.ts';

describe('a master that stands still when a reload is due', () => {
  let dir: string;
  let port: number;
  let upstream: Upstream;
  let bed: GeneratorBed;

  beforeEach(async () => {
    dir = makeTempDir('still');
    port = await freePort();
    upstream = await startHttpUpstream({ identity: 'u', host: '127.0.18.1' });
  });
  afterEach(async () => {
    await bed.stop();
    await killAllIn(dir);
    await upstream.stop();
    removeTempDir(dir);
  });

  const services = (...backend: readonly string[]): Services => ({
    web: { instances: [instanceOf(upstream)], haproxy: { port, server_options: 'check inter 1s', backend } },
  });
  const masterPid = async (): Promise<number> =>
    Number(/^(\d+)\s+master/m.exec(await askSocket(haproxyPaths(dir).masterSocket, 'show proc'))?.[1]);

  it.each([
    ['ours', true],
    ["somebody else's", false],
  ])('is waited for, and nothing is blamed: %s', async (_, managed) => {
    const { global, defaults } = testBase(dir);
    if (!managed) {
      const idle = ['listen idle', `bind 127.0.0.1:${await freePort()}`, ''];
      await startHaproxy({ dir, config: ['global', ...global, 'defaults', ...defaults, ...idle].join('\n') });
    }
    bed = startGenerator(topLevel(dir, { managed, ...testBase(dir) }), { answerMs: 300 });
    await bed.settle(services());
    const before = await bed.metrics();
    const master = await masterPid();
    process.kill(master, 'SIGSTOP');
    try {
      await expect(bed.reconcile(services('timeout server 3s'))).rejects.toThrow('does not answer');
      await expect(bed.reconcile(services('timeout server 3s'))).rejects.toThrow('does not answer');
      expect((await get({ port })).status).toBe(200);
    } finally {
      process.kill(master, 'SIGCONT');
    }
    // The file holds what is wanted, not what runs: there is nothing wrong with it.
    expect(await readFile(haproxyPaths(dir).configFile, 'utf8')).toContain('timeout server 3s');
    expect(reloads(await bed.settle(services('timeout server 3s')))).toBe(1);
    const failed = /^smartstack_haproxy_reload_total\{.*result="failure"/m;
    expect([failed.test(before), failed.test(await bed.metrics())]).toEqual([false, false]);
    expect(bed.logger.records.map(({ message }) => message)).not.toContain('haproxy could not be reloaded');
  });
});
