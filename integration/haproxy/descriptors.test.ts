import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readHaproxyBlock } from '../../packages/synapse/src/generators/haproxy/block/blocks.ts';
import { desiredState } from '../../packages/synapse/src/generators/haproxy/desired/desired.ts';
import { emptyMemory } from '../../packages/synapse/src/generators/haproxy/desired/memory.ts';
import { render } from '../../packages/synapse/src/generators/haproxy/desired/render.ts';
import { descriptorNeed } from '../../packages/synapse/src/generators/haproxy/file/descriptorNeed.ts';
import { eventually } from '../harness/eventually.ts';
import {
  type Haproxy,
  haproxyPaths,
  killAllIn,
  limited,
  startHaproxy,
  testBase,
} from '../harness/haproxy.ts';
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
  serversOf,
  type Services,
  startGenerator,
  topLevel,
} from './bed.ts';

const openFiles = 1_000;

describe('file descriptors', () => {
  let dir: string;
  let port: number;
  let upstream: Upstream;
  let bed: GeneratorBed | undefined;
  let haproxy: Haproxy | undefined;

  /** Enough for 300 connections, not for 2,000. */
  const withMaxconn = (maxconn: number, more: Readonly<Record<string, unknown>> = {}) => {
    const { global } = testBase(dir);
    const lines = global.map((line) => (line.startsWith('maxconn') ? `maxconn ${maxconn}` : line));
    return topLevel(dir, { global: lines, probe_new_servers: 'off', state_file_path: null, ...more });
  };
  const start = async (): Promise<Haproxy> => {
    const { global, defaults } = testBase(dir);
    const lines = global.filter((line) => !line.startsWith('maxconn'));
    const listen = ['listen idle', `bind 127.0.0.1:${await freePort()}`];
    const config = ['global', ...lines, 'maxconn 100', 'defaults', ...defaults, ...listen, ''].join('\n');
    return startHaproxy({ dir, config, openFiles });
  };
  /** `count` instances: the upstream, and addresses where nobody answers. */
  const web = (count: number, more: Readonly<Record<string, unknown>> = {}): Services => {
    const nobody = Array.from({ length: count - 1 }, (_, n) => ({ host: '127.0.14.9', port: 20_000 + n }));
    const haproxy_ = { port, server_options: 'check inter 1h', ...more };
    return { web: { instances: [instanceOf(upstream), ...nobody], haproxy: haproxy_ } };
  };

  beforeEach(async () => {
    dir = makeTempDir('fds');
    port = await freePort();
    upstream = await startHttpUpstream({ identity: 'u1', host: '127.0.14.1' });
  });
  afterEach(async () => {
    await bed?.stop();
    bed = undefined;
    await haproxy?.stop();
    haproxy = undefined;
    await killAllIn(dir);
    await upstream.stop();
    removeTempDir(dir);
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>, 'exactly' | 'at least']>([
    ['a plain file', {}, {}, 'exactly'],
    ['many checked servers', {}, { server_options: 'check' }, 'exactly'],
    ['checks by default-server', {}, { backend: ['default-server check'] }, 'exactly'],
    // Below the ports that other tests pick theirs from, and at an address of its own.
    ['ranges and lists of addresses', {}, { port: '11100-11119', bind_address: '127.0.14.2' }, 'exactly'],
    ['a disabled backend', {}, { server_options: 'check', backend: ['disabled'] }, 'exactly'],
    ['pipes, threads and CLI connections', { more: ['maxpipes 50', 'stats maxconn 33'] }, {}, 'exactly'],
    ['agent checks', {}, { server_options: 'agent-check agent-port 9' }, 'at least'],
    ['splicing', {}, { listen: ['option splice-auto'] }, 'at least'],
    ['no maxconn at all', { maxconn: null }, {}, 'at least'],
    [
      'sections of the operator',
      {
        extra_sections: {
          'listen x': ['bind 127.0.14.2:11140,127.0.14.2:11141', 'server s 127.0.0.1:9 check'],
        },
      },
      {},
      'exactly',
    ],
  ])('are counted as HAProxy does: %s', async (_, { more, maxconn, ...top }, service, precision) => {
    const { global } = testBase(dir);
    const lines = global.filter((line) => maxconn === undefined || !line.startsWith('maxconn'));
    const block = topLevel(dir, {
      ...top,
      global: [...lines, 'nbthread 2', ...((more as string[] | undefined) ?? [])],
    });
    const instances = Array.from({ length: 7 }, (__, n) => ({ host: '127.0.14.9', port: 20_000 + n }));
    const views = [
      { name: 'web', source: 'live', instances, blocks: { haproxy: { port, ...service } } } as const,
    ];
    const { config } = readHaproxyBlock(block, 'h');
    const { desired } = desiredState(config!, { services: views }, emptyMemory, new Map(), 0);
    haproxy = await startHaproxy({ dir, config: render(desired) });
    const maxsock = Number(/^Maxsock: (\d+)$/m.exec(await haproxy.ask('show info'))?.[1]);
    const { count } = descriptorNeed(desired, true);
    if (precision === 'exactly') expect(count).toBe(maxsock);
    expect(count).toBeLessThanOrEqual(maxsock);
    expect(count).toBeGreaterThan(200);
  });

  it('that are too few: HAProxy itself refuses the reload, and its old worker serves on', async () => {
    haproxy = await start();
    const worker = await haproxy.workerPid();
    const text = await readFile(haproxy.configFile, 'utf8');
    await writeFile(haproxy.configFile, text.replace('maxconn 100', 'maxconn 2000'));
    await haproxy.ask('reload', haproxy.masterSocket);
    await eventually(
      async () => (await haproxy!.ask('show proc', haproxy!.masterSocket)).includes('[failed: 1]'),
      { what: 'the master has failed to reload' },
    );
    expect(await haproxy.workerPid()).toBe(worker);
  });

  it('too few for a new maxconn: no reload is tried, the rest goes on, and it is told what to do', async () => {
    haproxy = await start();
    bed = startGenerator(withMaxconn(300), { retryAddressesMs: 0 });
    await bed.settle(web(1));
    const worker = await haproxy.workerPid();
    const load = startLoad({ port, clients: 2, connections: 'fresh', paceMs: 5, maxRequests: 50_000 });
    bed.generator.configure(withMaxconn(2000));
    expect(reloads(await bed.settle(web(2)))).toBe(0);
    expect(await inRotation(haproxy.adminSocket, 'web')).toHaveLength(2);
    await eventually(async () => (await serverLines(haproxy!.configFile, 'web')).length === 2, {
      what: 'the file follows, with the global section of before',
    });
    expect(await readFile(haproxy.configFile, 'utf8')).toContain('maxconn 300');
    expect(bed.status().quarantined).toMatchObject([{ culprit: { kind: 'base' }, kept: 'last-good' }]);
    expect(bed.status().quarantined[0]?.reason).toMatch(
      /needs at least 40\d\d .* may open 1000: raise LimitNOFILE/,
    );
    expect(await bed.metrics()).toMatch(/descriptors_limit 1000\n/);
    for (let pass = 0; pass < 5; pass += 1) await bed.settle(web(2));
    expect(
      bed.logger.records.filter(({ level, message }) => level !== 'debug' && message.includes('rejects')),
    ).toHaveLength(1);
    expect(await haproxy.workerPid()).toBe(worker);

    // A smaller one fits.
    bed.generator.configure(withMaxconn(350));
    expect(reloads(await bed.settle(web(2)))).toBe(1);
    expect(bed.status().quarantined).toEqual([]);
    expect((await load.stop()).failures).toEqual([]);

    // As does the greater one in an HAProxy that may open more.
    bed.generator.configure(withMaxconn(2000));
    expect(reloads(await bed.settle(web(2)))).toBe(0);
    await haproxy.stop();
    haproxy = await startHaproxy({ dir, openFiles: 6_000 });
    await bed.settle(web(2));
    expect(bed.status().quarantined).toEqual([]);
    expect(await haproxy.ask('show info')).toContain('\nMaxconn: 2000\n');
  });

  it('too few for all the checked servers: they are added at run time, and the file stays one that can be loaded', async () => {
    haproxy = await start();
    bed = startGenerator(withMaxconn(300));
    await bed.settle(web(50));
    const worker = await haproxy.workerPid();
    expect(reloads(await bed.settle(web(400)))).toBe(0);
    expect(await serversOf(haproxy.adminSocket, 'web')).toHaveLength(400);
    // Not even when the service asks for other lines.
    const changed = { backend: ['timeout server 9s'] };
    expect(reloads(await bed.settle(web(399, changed)))).toBe(0);
    expect(await serversOf(haproxy.adminSocket, 'web')).toHaveLength(399);
    expect(await haproxy.workerPid()).toBe(worker);
    expect(await serverLines(haproxy.configFile, 'web')).toHaveLength(50);
    expect(JSON.stringify(bed.status().file)).toContain('may open 1000');
    expect(bed.logger.records.filter(({ level }) => level === 'error')).toHaveLength(1);

    // It fits again: one reload, for what had to wait.
    expect(reloads(await bed.settle(web(60, changed)))).toBe(1);
    expect(await serverLines(haproxy.configFile, 'web')).toHaveLength(60);
    expect(JSON.stringify(bed.status().file)).not.toContain('may open');
  });

  it('too few for a managed HAProxy: it is not reloaded either', async () => {
    const wrapper = join(dir, 'haproxy');
    await mkdir(dir, { recursive: true });
    await writeFile(wrapper, `#!/bin/sh\nexec ${limited(openFiles).join(' ')} "$@"\n`, { mode: 0o755 });
    const managed = { managed: true, haproxy_binary: wrapper };
    // Its own words, when it does not even start.
    bed = startGenerator(withMaxconn(2000, managed));
    await expect(bed.reconcile(web(1))).rejects.toThrow(/Cannot raise FD limit to \d+, limit is 1000/);
    await bed.stop();
    bed = startGenerator(withMaxconn(300, managed));
    await bed.settle(web(1));
    expect(await get({ port })).toEqual({ status: 200, body: 'u1' });
    bed.generator.configure(withMaxconn(2000, managed));
    expect(reloads(await bed.settle(web(2)))).toBe(0);
    expect(await inRotation(haproxyPaths(dir).adminSocket, 'web')).toHaveLength(2);
    expect(bed.status().quarantined[0]?.reason).toContain('may open 1000');
  });
});
