import { rename, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startTcpUpstream, type Upstream } from '../harness/upstream.ts';
import {
  type GeneratorBed,
  inRotation,
  instanceOf,
  serversOf,
  type Services,
  startGenerator,
  topLevel,
  tested,
} from './bed.ts';

/** For what an older HAProxy needs a reload for. */
const onDynamic = it.runIf(tested.dynamicServers);

describe('what the world does to the generator', () => {
  let dir: string;
  let port: number;
  let haproxy: Haproxy;
  let upstreams: Upstream[];
  let bed: GeneratorBed;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    dir = makeTempDir('wor');
    port = await freePort();
    upstreams = await Promise.all(
      [1, 2].map((n) => startTcpUpstream({ identity: `u${n}`, host: `127.0.11.${n}` })),
    );
    const { global, defaults } = testBase(dir);
    const lines = [
      'global',
      ...global,
      'defaults',
      ...defaults,
      'listen idle',
      `bind 127.0.0.1:${await freePort()}`,
      '',
    ];
    haproxy = await startHaproxy({ dir, config: lines.join('\n') });
    bed = startGenerator(topLevel(dir, { state_file_path: null }), { commandMs: 300 });
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await bed.stop();
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  const tcp = (numbers: readonly number[]): Services => ({
    db: {
      instances: numbers.map((n) => instanceOf(upstreams[n - 1]!)),
      haproxy: { port, listen: ['mode tcp', 'balance roundrobin'] },
    },
  });

  /** Opens a connection and waits for the upstream's greeting. */
  async function client(): Promise<{ readonly socket: Socket; readonly identity: string }> {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    const identity = await new Promise<string>((resolve, reject) => {
      socket.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
      socket.once('error', reject);
    });
    return { socket, identity };
  }

  onDynamic(
    'a long connection lives on when its server is removed, and the server goes when it ends',
    async () => {
      await bed.settle(tcp([1, 2]));
      const clients = [await client(), await client()];
      const held = clients.find(({ identity }) => identity === 'u1')!;
      const { outcome, againInMs } = await bed.reconcile(tcp([2]));
      expect(outcome).toBe('runtime');
      expect(againInMs).toBeGreaterThan(0);
      expect(await inRotation(haproxy.adminSocket, 'db')).toHaveLength(1);
      expect(bed.status().processes?.[0]?.lingering).toHaveLength(1);
      // The connection still works, in both directions, and other changes are not held up by it.
      const echoed = new Promise<string>((resolve) =>
        held.socket.once('data', (chunk: Buffer) => resolve(chunk.toString())),
      );
      held.socket.write('still here');
      expect(await echoed).toBe('still here');
      held.socket.end();
      await eventually(
        async () => {
          await bed.reconcile(tcp([2]));
          return (await serversOf(haproxy.adminSocket, 'db')).length === 1;
        },
        { what: 'the server is removed' },
      );
      expect(bed.status().processes?.[0]?.lingering).toEqual([]);
    },
  );

  onDynamic('a server that is wanted again while it lingers comes back', async () => {
    await bed.settle(tcp([1, 2]));
    const clients = [await client(), await client()];
    expect(clients.map(({ identity }) => identity).sort()).toEqual(['u1', 'u2']);
    await bed.reconcile(tcp([2]));
    expect(await inRotation(haproxy.adminSocket, 'db')).toHaveLength(1);
    const worker = await haproxy.workerPid();
    await bed.settle(tcp([1, 2]));
    expect(await inRotation(haproxy.adminSocket, 'db')).toHaveLength(2);
    expect(await haproxy.workerPid()).toBe(worker);
    const identities = await Promise.all([client(), client(), client(), client()]);
    expect(new Set(identities.map(({ identity }) => identity))).toEqual(new Set(['u1', 'u2']));
  });

  onDynamic('a stranger on the admin socket is not taken for HAProxy', async () => {
    await bed.settle(tcp([1]));
    const worker = await haproxy.workerPid();
    const { adminSocket } = haproxy;
    await rename(adminSocket, `${adminSocket}.away`);
    const stranger = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => socket.destroy());
      socket.on('data', () => socket.write('Pid: 1\nVersion: 2.6\n> nonsense\n> \n> '));
    });
    await new Promise<void>((resolve) => stranger.listen(adminSocket, resolve));
    await expect(bed.reconcile(tcp([1, 2]))).rejects.toThrow();
    await new Promise((resolve) => {
      stranger.close(resolve);
      for (const socket of sockets.splice(0)) socket.destroy();
    });
    await rm(adminSocket, { force: true });
    await rename(`${adminSocket}.away`, adminSocket);
    await bed.settle(tcp([1, 2]));
    expect(await inRotation(adminSocket, 'db')).toHaveLength(2);
    expect(await haproxy.workerPid()).toBe(worker);
  });
});
