import { once, setMaxListeners } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
  setMaxListeners(0, stop.now.signal);
  folder = mkdtempSync(join(tmpdir(), 'numbers-'));
  keyFile = join(folder, 'key');
  writeFileSync(keyFile, `${'k'.repeat(32)}\n`, { mode: 0o600 });
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

function make(
  instanceId: string,
  port?: number,
  networks: readonly string[] = ['127.0.0.0/8'],
  file = keyFile,
) {
  const logger = new RecordingLogger();
  const counted: string[] = [];
  const listen = port === undefined ? undefined : { host: '127.0.0.1', port };
  const made = new Numbers({
    settings: { keyFile: file, listen, networks },
    metrics: {
      asked: (result) => counted.push(`asked: ${result}`),
      answered: (result) => counted.push(`was asked: ${result}`),
    },
    numbers: () => ({ instanceId, edges: [], services: new Map(), isCut: false }),
    // Nobody is given up because this machine is busy.
    clock: { ...systemClock, setTimeout: (callback, ms) => systemClock.setTimeout(callback, 10 * ms) },
    logger,
  });
  const running = made.run(stop.now.signal);
  const problems = async (hosts: readonly HostNode[]) =>
    [...(await made.of(hosts, stop.now.signal))].map(([name, { problem }]) => [name, problem]);
  return { made, running, problems, logger, counted };
}

describe('numbers of other hosts', () => {
  it('are those of a host that is what its node says, at an address of ours', async () => {
    const port = await freePort();
    const { made: host, running, counted: there } = make('vm-1', port);
    await host.settled;
    expect(host.target).toBe(`127.0.0.1:${port}`);
    const { problems, made, counted } = make('me');
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
    expect(counted).toEqual(['asked: answered']);
    expect(there).toEqual(['was asked: answered']);
    expect([host.problems, made.problems]).toEqual([[], []]);
    stop.now.abort();
    await running;
    expect(host.target).toBeUndefined();
  });

  it('are asked of nobody without a key, which is said once', async () => {
    const { made, problems, logger, counted } = make('me');
    const hosts = [node('vm-1', `127.0.0.1:${await freePort()}`)];
    writeFileSync(keyFile, 'short\n');
    for (let round = 0; round < 2; round += 1)
      expect(await problems(hosts)).toEqual([
        ['vm-1', 'our key file cannot be used: a key has at least 32 characters'],
      ]);
    expect(logger.records.map(({ message }) => message)).toEqual(['the key file cannot be used']);
    expect(made.problems).toEqual([`${keyFile} cannot be used: a key has at least 32 characters`]);
    expect(counted).toEqual([]);
    // Nobody was asked, so that it is done at once when there is one.
    writeFileSync(keyFile, 'k'.repeat(32));
    expect(await problems(hosts)).toEqual([['vm-1', 'nobody listens there']]);
    expect(counted).toEqual(['asked: unreachable']);
    expect(made.problems).toEqual([]);
  });

  it('are told all the same where others may read the key, which is said before anybody asks', async () => {
    chmodSync(keyFile, 0o644);
    const { made, problems, logger } = make('me');
    await expect.poll(() => logger.records.length).toBe(1);
    expect(logger.records[0]).toMatchObject({
      ...{ level: 'warn', message: 'the key file is open to all users of this host' },
      fields: { file: keyFile },
    });
    const hosts = [node('vm-1', `127.0.0.1:${await freePort()}`)];
    expect(await problems(hosts)).toEqual([['vm-1', 'nobody listens there']]);
    expect(made.problems).toEqual([`${keyFile} is open to all users of this host`]);
    chmodSync(keyFile, 0o640);
    await problems(hosts);
    expect(made.problems).toEqual([]);
    expect(logger.records).toHaveLength(1);
  });

  it('follow an exchange of keys: each file as it is by now', async () => {
    const port = await freePort();
    const [old, fresh] = ['k'.repeat(32), 'n'.repeat(32)];
    const { made: host } = make('vm-1', port);
    await host.settled;
    const own = join(folder, 'own');
    const hosts = [node('vm-1', `127.0.0.1:${port}`)];
    // Who asked lately is not asked again so soon: one who asks for each step.
    const asked = async (theirs: string, ours: string) => {
      writeFileSync(keyFile, theirs);
      writeFileSync(own, ours, { mode: 0o600 });
      return make('me', undefined, undefined, own).problems(hosts);
    };
    for (const [theirs, ours] of [
      [old, `${old}\n${fresh}`],
      [`${old}\n${fresh}`, `${old}\n${fresh}`],
      [`${old}\n${fresh}`, `${fresh}\n${old}`],
      [`${fresh}\n${old}`, fresh],
      [fresh, fresh],
    ] as const)
      expect(await asked(`${theirs}\n`, `${ours}\n`)).toEqual([['vm-1', undefined]]);
    expect(await asked(fresh, old)).toEqual([['vm-1', 'it refuses us: it has another key']]);
  });

  it('are asked of no host on loopback, in the internet or of a cloud unless somebody says so', async () => {
    const { problems } = make('me', undefined, ['10.0.0.0/8', 'fc00::/7']);
    const places = ['127.0.0.1:1', '[::1]:1', '[::ffff:7f00:1]:1', '8.8.8.8:1', '224.0.0.1:1', '[fe80::1]:1'];
    const found = await problems(places.map((api, index) => node(`vm-${index}`, api)));
    for (const [, problem] of found) expect(problem).toMatch(/ is in no network of ours$/);
    expect(found).toHaveLength(places.length);
  });
});
