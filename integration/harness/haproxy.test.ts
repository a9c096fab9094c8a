import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Haproxy, isAlive, startHaproxy, testBase } from './haproxy.ts';
import { get, startLoad } from './load.ts';
import { freePort } from './ports.ts';
import { startHttpUpstream, startTcpUpstream } from './upstream.ts';

describe('the test bed HAProxy', () => {
  let dir: string;
  let haproxy: Haproxy | undefined;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'hp-'));
  });
  afterEach(async () => {
    await haproxy?.stop();
    await rm(dir, { recursive: true });
  });

  it('serves from an upstream, reloads, and leaves nothing behind', async () => {
    const upstream = await startHttpUpstream({ identity: 'one', host: '127.0.9.1' });
    const port = await freePort();
    const { global, defaults } = testBase(dir);
    const config = [
      'global',
      ...global,
      'defaults',
      ...defaults,
      `listen web`,
      `bind 127.0.0.1:${port}`,
      `server one ${upstream.host}:${upstream.port}`,
      '',
    ].join('\n');
    haproxy = await startHaproxy({ dir, config });
    expect(await get({ port })).toEqual({ status: 200, body: 'one' });
    const before = await haproxy.workerPid();
    const load = startLoad({ port, clients: 2, connections: 'fresh', maxRequests: 200 });
    await haproxy.reload();
    const result = await load.stop();
    expect(result.failures).toEqual([]);
    const after = await haproxy.workerPid();
    expect(after).not.toBe(before);
    await haproxy.stop();
    await upstream.stop();
    expect(await Promise.all([haproxy.pid, before, after].map(isAlive))).toEqual([false, false, false]);
  });

  it('says why a HAProxy does not start', async () => {
    await expect(startHaproxy({ dir, config: 'nonsense\n' })).rejects.toThrow(/unknown keyword 'nonsense'/);
  });

  it('counts what a TCP upstream served', async () => {
    const upstream = await startTcpUpstream({ identity: 'tcp', host: '127.0.9.2' });
    expect(upstream.served).toBe(0);
    await expect(get(upstream)).rejects.toThrow();
    expect(upstream.served).toBe(1);
    await upstream.stop();
  });
});
