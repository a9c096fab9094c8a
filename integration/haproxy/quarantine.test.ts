import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { haproxyPaths, killAllIn, testBase } from '../harness/haproxy.ts';
import { get, startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import {
  type GeneratorBed,
  inRotation,
  instanceOf,
  serverLines,
  type Services,
  startGenerator,
  topLevel,
} from './bed.ts';

describe('quarantine of what HAProxy rejects', () => {
  let dir: string;
  let good: number;
  let bad: number;
  let upstreams: Upstream[];
  let bed: GeneratorBed;

  const start = (more: Readonly<Record<string, unknown>> = {}): GeneratorBed =>
    startGenerator(
      topLevel(dir, { managed: true, section_keywords: 'modern', registry_server_options: 'any', ...more }),
    );

  beforeEach(async () => {
    dir = makeTempDir('qua');
    [good, bad] = [await freePort(), await freePort()];
    upstreams = await Promise.all(
      [1, 2, 3].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.4.${n}` })),
    );
    bed = start();
  });
  afterEach(async () => {
    await bed.stop();
    await killAllIn(dir);
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  const instance = (n: number) => instanceOf(upstreams[n - 1]!);

  it('leaves a bad service out, keeps it at its last good form, and lets the others go on', async () => {
    const services = (goodOnes: readonly number[], lines: readonly string[]): Services => ({
      good: { instances: goodOnes.map(instance), haproxy: { port: good } },
      bad: { instances: [instance(3)], haproxy: { port: bad, backend: lines } },
    });
    await bed.settle(services([1], ['timeout server nonsense']));
    expect(await get({ port: good })).toEqual({ status: 200, body: 'u1' });
    await expect(get({ port: bad })).rejects.toThrow();
    expect(bed.status().quarantined).toMatchObject([
      { culprit: { kind: 'service', service: 'bad' }, kept: 'left-out' },
    ]);
    expect(bed.status().quarantined[0]?.reason).toMatch(/nonsense|timeout/);

    await bed.settle(services([1, 2], ['timeout server 5s']));
    expect(bed.status().quarantined).toEqual([]);
    expect(await get({ port: bad })).toEqual({ status: 200, body: 'u3' });

    await bed.settle(services([2], ['timeout server 5x', 'nothing at all']));
    expect(bed.status().quarantined).toMatchObject([
      { culprit: { kind: 'service', service: 'bad' }, kept: 'last-good' },
    ]);
    expect(await get({ port: bad })).toEqual({ status: 200, body: 'u3' });
    expect(await get({ port: good })).toEqual({ status: 200, body: 'u2' });
    expect(await readFile(haproxyPaths(dir).configFile, 'utf8')).toContain('timeout server 5s');
  });

  it('never reloads for an address that another process has: no request of the others fails', async () => {
    await bed.stop();
    bed = startGenerator(topLevel(dir, { managed: true }), { retryAddressesMs: 0 });
    const services = (port?: number): Services => ({
      good: { instances: [instance(1)], haproxy: { port: good } },
      ...(port === undefined ? {} : { bad: { instances: [instance(2)], haproxy: { port } } }),
    });
    await bed.settle(services());
    const taken = await startHttpUpstream({ identity: 'taken', port: bad });
    const load = startLoad({ port: good, clients: 4, connections: 'fresh', maxRequests: 20_000 });
    await bed.settle(services(bad));
    expect(bed.status().quarantined).toMatchObject([
      { culprit: { kind: 'frontend', service: 'bad' }, kept: 'left-out' },
    ]);
    expect(bed.status().quarantined[0]?.reason).toContain('another process');
    // A port that is free: it moves there, and stays when it shall move back.
    const free = await freePort();
    await bed.settle(services(free));
    expect(await get({ port: free })).toEqual({ status: 200, body: 'u2' });
    await bed.settle(services(bad));
    expect(await get({ port: free })).toEqual({ status: 200, body: 'u2' });
    await taken.stop();
    await bed.settle(services(bad));
    expect(await get({ port: bad })).toEqual({ status: 200, body: 'u2' });
    expect((await load.stop()).failures).toEqual([]);
  });

  it('is not in step while nothing of the configuration is acceptable', async () => {
    await bed.stop();
    bed = start({ global: ['nonsense'] });
    const services: Services = { good: { instances: [instance(1)], haproxy: { port: good } } };
    await expect(bed.reconcile(services)).rejects.toThrow(/rejects the whole configuration/);
    await expect(bed.reconcile(services)).rejects.toThrow(/rejects the whole configuration/);
  });

  it('leaves one bad server out, not its service', async () => {
    const services = (options: string): Services => ({
      good: {
        instances: [instance(1), { ...instance(2), haproxyServerOptions: options }],
        haproxy: { port: good },
      },
    });
    await bed.settle({ good: { instances: [instance(1)], haproxy: { port: good } } });
    const outcomes = await bed.settle(services('inter 2s fall banana'));
    expect(outcomes).not.toContain('reload');
    expect(bed.status().quarantined).toMatchObject([
      { culprit: { kind: 'server', service: 'good' }, kept: 'left-out' },
    ]);
    expect(await inRotation(haproxyPaths(dir).adminSocket, 'good')).toHaveLength(1);
    await bed.settle(services('weight 3'));
    expect(bed.status().quarantined).toEqual([]);
    expect(await inRotation(haproxyPaths(dir).adminSocket, 'good')).toHaveLength(2);
    await eventually(async () => (await serverLines(haproxyPaths(dir).configFile, 'good')).length === 2, {
      what: 'the file follows',
    });
  });

  it('keeps the servers of a service whose own server_options became bad', async () => {
    const services = (server_options: string): Services => ({
      good: { instances: [instance(1), instance(2)], haproxy: { port: good, server_options } },
    });
    await bed.settle(services('check'));
    await bed.settle(services('check inter nonsense'));
    expect(bed.status().quarantined).toMatchObject([
      { culprit: { kind: 'service', service: 'good' }, kept: 'last-good' },
    ]);
    expect(await inRotation(haproxyPaths(dir).adminSocket, 'good')).toHaveLength(2);
    expect(await get({ port: good })).toMatchObject({ status: 200 });
  });

  it('keeps the last good global section when the new one is bad, and still follows servers', async () => {
    const services = (numbers: readonly number[]): Services => ({
      good: { instances: numbers.map(instance), haproxy: { port: good } },
    });
    await bed.settle(services([1]));
    const { global } = testBase(dir);
    const block = topLevel(dir, { managed: true, global: [...global, 'nonsense here'] });
    bed.generator.configure(block);
    await bed.settle(services([1, 2]));
    expect(bed.status().quarantined).toMatchObject([{ culprit: { kind: 'base' }, kept: 'last-good' }]);
    expect(await inRotation(haproxyPaths(dir).adminSocket, 'good')).toHaveLength(2);
    await eventually(async () => (await serverLines(haproxyPaths(dir).configFile, 'good')).length === 2, {
      what: 'the file follows',
    });
  });

  it('finds the culprit by bisection when the check names nobody', async () => {
    await bed.stop();
    await mkdir(dir, { recursive: true });
    // An operator's check that says no without a word as soon as the candidate mentions a forbidden port.
    const script = join(dir, 'check.sh');
    const { configFile } = haproxyPaths(dir);
    await writeFile(
      script,
      `#!/bin/sh\n! grep -q forbidden "${configFile}.tmp" && haproxy -c -f "${configFile}.tmp"\n`,
      { mode: 0o755 },
    );
    bed = start({ do_checks: true, check_command: `${script} && true` });
    const names = ['a', 'b', 'c', 'forbidden', 'd', 'e'];
    const ports = await Promise.all(names.map(() => freePort()));
    const services: Services = Object.fromEntries(
      names.map((name, index) => [name, { instances: [instance(1)], haproxy: { port: ports[index] } }]),
    );
    await bed.settle(services);
    expect(bed.status().quarantined).toMatchObject([
      { culprit: { kind: 'service', service: 'forbidden' }, kept: 'left-out' },
    ]);
    for (const [index, name] of names.entries()) {
      if (name === 'forbidden') await expect(get({ port: ports[index]! })).rejects.toThrow();
      else expect(await get({ port: ports[index]! })).toMatchObject({ status: 200 });
    }
  });

  it('removes only the shared lines of a service that are bad', async () => {
    await bed.stop();
    bed = start({ shared_frontend: [`bind 127.0.0.1:${bad}`] });
    const services: Services = {
      good: {
        instances: [instance(1)],
        haproxy: { port: good, shared_frontend: ['use_backend good if { path_beg /good }'] },
      },
      other: {
        instances: [instance(2)],
        haproxy: { shared_frontend: ['acl other path_nonsense /other', 'use_backend other if other'] },
      },
    };
    await bed.settle(services);
    expect(bed.status().quarantined).toMatchObject([{ culprit: { kind: 'shared-lines', service: 'other' } }]);
    expect(await get({ port: bad, path: '/good' })).toEqual({ status: 200, body: 'u1' });
    expect(await get({ port: good })).toEqual({ status: 200, body: 'u1' });
  });
});
