import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { cleanUpAfterEach, onCleanUp, upstream, type Vm } from '../discovery/bed.ts';
import { eventually, holds } from '../harness/eventually.ts';
import { askSocket } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { logOf, newZooKeeper, readyServers, startPair, userFile } from './bed.ts';

cleanUpAfterEach();
const resyncEachSecond = [
  'reconcile: {startup_deadline: 1, resync_interval: 1}',
  'zookeeper: {session_timeout: 3}',
];

async function zooKeeper(): Promise<string> {
  const server = await newZooKeeper();
  await server.start();
  return server.address;
}

/** A folder on a disk of its own, of 256 KiB; undefined without the right to mount. */
function smallDisk(): string | undefined {
  const folder = makeTempDir('small');
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  onCleanUp(() => {
    execFileSync('umount', [folder]);
    removeTempDir(folder);
  });
  return folder;
}

/** Writes until there is no room left; returns how to make some again. */
function fillDisk(folder: string): () => void {
  const ballast = join(folder, 'ballast');
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(ballast, Buffer.alloc(bavail * bsize));
  return () => rmSync(ballast);
}

const fileNames = (vm: Vm, text: string): boolean => readFileSync(vm.configFile, 'utf8').includes(text);

describe('the disk of synapse', () => {
  it('is full: instances come and go all the same; it says so once, and is in step when there is room', async (context) => {
    const data = smallDisk();
    if (data === undefined) return context.skip('needs the right to mount');
    const address = await zooKeeper();
    const { host, vm, traffic, worker } = await startPair({ nerve: address, synapse: address }, { data });
    const makeRoom = fillDisk(data);
    // Read now: what was still to be written may have come until the disk was full.
    const before = readFileSync(vm.configFile, 'utf8');
    await host.offer('web', 'c');
    await vm.serves('web', ['a', 'b', 'c']);
    await host.killApp('b');
    await vm.serves('web', ['a', 'c']);
    // What it remembers has no room either, and is told earlier than haproxy.cfg: each has a pace of its own.
    await eventually(() => vm.synapse.output.includes('ENOSPC'), { what: 'it says why' });
    await eventually(async () => (await vm.admin('/status')).body.includes('ENOSPC'), {
      what: 'the status says why',
    });
    expect((await vm.admin('/healthz')).status).toBe(200);
    expect(readFileSync(vm.configFile, 'utf8')).toBe(before);
    await host.offer('web', 'd');
    await vm.serves('web', ['a', 'c', 'd']);
    // A new frontend needs the file: it waits, the others do not.
    const port = await freePort();
    await host.offer('other', 'o');
    vm.service('other', userFile(address, 'other', port));
    await eventually(async () => (await vm.admin('/readyz')).status === 503, { what: 'it is not in step' });
    await host.offer('web', 'e');
    await vm.serves('web', ['a', 'c', 'd', 'e']);
    await expect(get({ port })).rejects.toThrow('ECONNREFUSED');
    expect(await vm.worker()).toBe(worker);
    makeRoom();
    await eventually(async () => (await get({ port })).body === 'o', {
      what: 'the new service is reachable',
      timeoutMs: 20_000,
    });
    await eventually(async () => (await vm.admin('/readyz')).status === 200, {
      what: 'synapse is in step',
      timeoutMs: 20_000,
    });
    expect((await vm.admin('/status')).body).not.toContain('ENOSPC');
    const told = logOf(vm.synapse.output).filter((line) => JSON.stringify(line).includes('ENOSPC'));
    const messages = told.map(({ level, message }) => `${String(level)} ${String(message)}`);
    expect(new Set(messages).size, messages.join()).toBe(messages.length);
    for (const { port: each } of await readyServers(vm, 'web')) expect(fileNames(vm, `:${each} `)).toBe(true);
    await traffic.noneFailed();
  });
});

describe('an operator', () => {
  it('edits haproxy.cfg: it is put right again, and nothing of it is ever loaded', async () => {
    const address = await zooKeeper();
    const { host, vm, traffic, worker } = await startPair(
      { nerve: address, synapse: address },
      { agent: resyncEachSecond },
    );
    const inFile = (): number => (readFileSync(vm.configFile, 'utf8').match(/^\tserver /gm) ?? []).length;
    // It follows what HAProxy was told.
    await eventually(() => inFile() === 2, { what: 'the file has both', timeoutMs: 10_000 });
    const before = readFileSync(vm.configFile, 'utf8');
    writeFileSync(vm.configFile, `${before}\nlisten mine\n\tbind 127.0.0.1:${await freePort()}\n`);
    await eventually(() => readFileSync(vm.configFile, 'utf8') === before, {
      what: 'the file is as it was',
      timeoutMs: 10_000,
    });
    writeFileSync(vm.configFile, 'nonsense\n');
    await host.offer('web', 'c');
    await vm.serves('web', ['a', 'b', 'c']);
    await eventually(() => inFile() === 3, { what: 'the file is right', timeoutMs: 10_000 });
    rmSync(vm.configFile);
    await eventually(() => fileNames(vm, 'backend web'), { what: 'the file is back', timeoutMs: 10_000 });
    await traffic.noneFailed();
    expect(await vm.worker()).toBe(worker);
  });

  it('sets our servers to maint, drain, another weight and down by hand: they are put right again', async () => {
    const address = await zooKeeper();
    const { host, vm, traffic, worker } = await startPair(
      { nerve: address, synapse: address },
      { agent: resyncEachSecond },
    );
    for (const identity of ['c', 'd', 'e']) await host.offer('web', identity);
    await vm.serves('web', ['a', 'b', 'c', 'd', 'e']);
    const before = await readyServers(vm, 'web');
    const changes = ['state maint', 'state drain', 'weight 3', 'health down'];
    for (const [index, change] of changes.entries()) {
      const answer = await askSocket(vm.adminSocket, `set server web/${before[index]!.name} ${change}`);
      expect(answer.trim()).toBe('');
    }
    expect(await readyServers(vm, 'web')).not.toEqual(before);
    const right = async (): Promise<boolean> => {
      const [now, all] = [await readyServers(vm, 'web'), before.map(({ name }) => name)];
      const up = now.filter(({ operational, weight }) => operational === 'up' && weight === 1);
      return isDeepStrictEqual(up.map(({ name }) => name).sort(), all.sort());
    };
    // What runs is read again at most every ten seconds.
    await eventually(right, { what: 'all are as they were', timeoutMs: 15_000 });
    await vm.serves('web', ['a', 'b', 'c', 'd', 'e']);
    await traffic.noneFailed();
    expect(await vm.worker()).toBe(worker);
  });

  it('has a section and servers of their own: synapse leaves them as they are', async () => {
    const address = await zooKeeper();
    const port = await freePort();
    const own = await upstream('own');
    const { host, vm, traffic, worker } = await startPair(
      { nerve: address, synapse: address },
      {
        agent: resyncEachSecond,
        haproxy: [
          'extra_sections:',
          '  listen own:',
          `    - bind 127.0.0.1:${port}`,
          `    - server kept ${own.host}:${own.port}`,
          `    - server parked ${own.host}:${own.port}`,
        ],
      },
    );
    await askSocket(vm.adminSocket, 'set server own/parked state maint');
    await askSocket(vm.adminSocket, 'set server own/kept weight 3');
    const added = `add server web/byhand ${own.host}:${own.port} id 900`;
    expect(await askSocket(vm.adminSocket, added)).toContain('registered');
    const unchanged = async (): Promise<boolean> => {
      const kept = await readyServers(vm, 'own');
      const state = await askSocket(vm.adminSocket, 'show servers state web');
      return kept.length === 1 && kept[0]?.weight === 3 && state.includes(' byhand ');
    };
    await host.offer('web', 'c');
    await vm.serves('web', ['a', 'b', 'c']);
    await host.killApp('b');
    await vm.serves('web', ['a', 'c']);
    await holds(unchanged, { what: 'what is theirs stays', forMs: 2_500 });
    expect(await get({ port })).toEqual({ status: 200, body: 'own' });
    await traffic.noneFailed();
    expect(await vm.worker()).toBe(worker);
  });
});
