import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { haproxyPaths, killAllIn, testBase } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { type GeneratorBed, instanceOf, type Services, startGenerator, topLevel } from './bed.ts';

describe('a managed HAProxy that does not run yet', () => {
  let dir: string;
  let port: number;
  let upstream: Upstream;
  let bed: GeneratorBed | undefined;

  beforeEach(async () => {
    dir = makeTempDir('first');
    port = await freePort();
    upstream = await startHttpUpstream({ identity: 'u', host: '127.0.17.1' });
  });
  afterEach(async () => {
    await bed?.stop();
    await killAllIn(dir);
    await upstream.stop();
    removeTempDir(dir);
  });

  const begin = (more: { readonly global?: readonly string[] } = {}): GeneratorBed => {
    const { global, defaults } = testBase(dir);
    const block = { managed: true, defaults, global: [...global, ...(more.global ?? [])] };
    return (bed = startGenerator(topLevel(dir, block), { watchMs: 100 }));
  };
  const services = (options = 'check inter 1s'): Services => ({
    web: { instances: [instanceOf(upstream)], haproxy: { port, server_options: options } },
  });
  const logged = (started: GeneratorBed): readonly string[] =>
    started.logger.records.map(({ message }) => message);

  it('is started on a file whose check comes afterwards', async () => {
    const started = begin();
    await expect(started.reconcile(services())).resolves.toMatchObject({ outcome: 'start' });
    expect(await get({ port })).toEqual({ status: 200, body: 'u' });
    const text = await readFile(haproxyPaths(dir).configFile, 'utf8');
    await started.settle(services());
    await eventually(async () => (await started.metrics()).includes('config_check_total{result="valid"} 1'), {
      what: 'it is checked',
    });
    expect(await readFile(haproxyPaths(dir).configFile, 'utf8')).toBe(text);
    expect(await readFile(`${haproxyPaths(dir).configFile}.last-good`, 'utf8')).toBe(text);
    expect(logged(started).filter((message) => /haproxy (re|start)/.test(message))).toEqual([
      'haproxy started',
    ]);
  });

  it('gets the file of before back where it does not start on ours', async () => {
    const { configFile } = haproxyPaths(dir);
    await mkdir(dirname(configFile), { recursive: true });
    // Not even this one could be started: nobody may hide what the operator left.
    const before = '# mine\nglobal\n\tnot a keyword\n';
    await writeFile(configFile, before);
    const started = begin({ global: ['nonsense here'] });
    await expect(started.reconcile(services())).rejects.toThrow('rejects the whole configuration');
    expect(await readFile(configFile, 'utf8')).toBe(before);
    expect(logged(started)).toContain('haproxy does not start on a file that was not checked yet');
    // What is known to be bad is not tried again.
    const tries = logged(started).filter((message) => message.includes('not checked yet')).length;
    await expect(started.reconcile(services())).rejects.toThrow('rejects the whole configuration');
    expect(logged(started).filter((message) => message.includes('not checked yet'))).toHaveLength(tries);
    started.generator.configure({ ...topLevel(dir, { managed: true, ...testBase(dir) }) });
    await started.settle(services());
    expect(await get({ port })).toEqual({ status: 200, body: 'u' });
  });

  it('leaves no file where there was none, when it does not start on ours', async () => {
    const started = begin({ global: ['nonsense here'] });
    await expect(started.reconcile(services())).rejects.toThrow('rejects the whole configuration');
    await expect(readFile(haproxyPaths(dir).configFile)).rejects.toThrow('ENOENT');
  });

  it('is started without the service that it rejects', async () => {
    const started = begin();
    const other = await freePort();
    const bad = {
      instances: [instanceOf(upstream)],
      haproxy: { port: other, backend: ['timeout server x'] },
    };
    await started.settle({ ...services(), bad });
    expect(started.status().quarantined).toMatchObject([{ culprit: { kind: 'service', service: 'bad' } }]);
    expect(await get({ port })).toEqual({ status: 200, body: 'u' });
  });
});
