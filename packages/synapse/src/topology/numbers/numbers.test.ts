import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import { RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HostNode } from '../mesh/node.js';
import { Numbers } from './numbers.js';

const stop = { now: new AbortController() };
let folder: string;
let keyFile: string;
beforeEach(() => {
  stop.now = new AbortController();
  folder = mkdtempSync(join(tmpdir(), 'numbers-'));
  keyFile = join(folder, 'key');
  writeFileSync(keyFile, `${'k'.repeat(32)}\n`);
});
afterEach(() => {
  stop.now.abort();
  rmSync(folder, { recursive: true });
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

const node = (instanceId: string, api?: string): HostNode => ({
  ...{ instanceId, agent: '1', services: [], edges: [], isCut: false, api },
});

function make(instanceId: string, port?: number, networks: readonly string[] = ['127.0.0.0/8']) {
  const logger = new RecordingLogger();
  const listen = port === undefined ? undefined : { host: '127.0.0.1', port };
  const made = new Numbers({
    settings: { keyFile, listen, networks },
    numbers: () => ({ instanceId, edges: [], services: new Map(), isCut: false }),
    // Nobody is given up because this machine is busy.
    clock: { ...systemClock, setTimeout: (callback, ms) => systemClock.setTimeout(callback, 10 * ms) },
    logger,
  });
  const running = made.run(stop.now.signal);
  const problems = async (hosts: readonly HostNode[]) =>
    [...(await made.of(hosts, stop.now.signal))].map(([name, { problem }]) => [name, problem]);
  return { made, running, problems, logger };
}

describe('numbers of other hosts', () => {
  it('are those of a host that is what its node says, at an address of ours', async () => {
    const port = await freePort();
    const { made: host, running } = make('vm-1', port);
    await host.settled;
    expect(host.target).toBe(`127.0.0.1:${port}`);
    const { problems, made } = make('me');
    await made.settled;
    expect(made.target).toBeUndefined();
    expect(
      await problems([
        node('vm-1', `127.0.0.1:${port}`),
        node('vm-2', `127.0.0.1:${port}`),
        node('vm-3', '169.254.169.254:80'),
        node('vm-4', '[::ffff:a9fe:a9fe]:80'),
        node('vm-5', 'localhost:80'),
        node('vm-6'),
      ]),
    ).toEqual([
      ['vm-3', '169.254.169.254 is in no network of ours'],
      ['vm-4', '::ffff:a9fe:a9fe is in no network of ours'],
      ['vm-5', 'its node has no address'],
      ['vm-6', 'it offers none'],
      ['vm-1', undefined],
      ['vm-2', 'there answers vm-1'],
    ]);
    stop.now.abort();
    await running;
    expect(host.target).toBeUndefined();
  });

  it('are asked of nobody without a key, which is said once', async () => {
    const { problems, logger } = make('me');
    const hosts = [node('vm-1', `127.0.0.1:${await freePort()}`)];
    writeFileSync(keyFile, 'short\n');
    for (let round = 0; round < 2; round += 1)
      expect(await problems(hosts)).toEqual([
        ['vm-1', 'our key file cannot be used: a key has at least 32 characters'],
      ]);
    expect(logger.records.map(({ message }) => message)).toEqual(['the key file cannot be used']);
    // Nobody was asked, so that it is done at once when there is one.
    writeFileSync(keyFile, 'k'.repeat(32));
    expect(await problems(hosts)).toEqual([['vm-1', 'nobody listens there']]);
  });

  it('are asked of no host on loopback, in the internet or of a cloud unless somebody says so', async () => {
    const { problems } = make('me', undefined, ['10.0.0.0/8', 'fc00::/7']);
    const places = ['127.0.0.1:1', '[::1]:1', '[::ffff:7f00:1]:1', '8.8.8.8:1', '224.0.0.1:1', '[fe80::1]:1'];
    const found = await problems(places.map((api, index) => node(`vm-${index}`, api)));
    for (const [, problem] of found) expect(problem).toMatch(/ is in no network of ours$/);
    expect(found).toHaveLength(places.length);
  });
});
