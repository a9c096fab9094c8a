import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, haproxyPaths, startHaproxy, testBase } from '../harness/haproxy.ts';
import { startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import {
  type GeneratorBed,
  inRotation,
  instanceOf,
  reloads,
  serversOf,
  type Services,
  startGenerator,
  topLevel,
} from './bed.ts';

/** An admin socket whose HAProxy says that it is 2.4, and takes no servers; everything else is the real one's. */
async function startOldSocket(path: string, real: string): Promise<{ stop(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ path: real, allowHalfOpen: true });
    const pair = [client, upstream] as const;
    for (const socket of pair) {
      sockets.add(socket);
      socket.setEncoding('utf8');
      socket.on('error', () => pair.forEach((each) => each.destroy()));
      socket.on('close', () => {
        sockets.delete(socket);
        pair.forEach((each) => each.destroy());
      });
    }
    client.on('data', (text: string) => {
      if (/^(add|del) server /m.test(text)) throw new Error(`2.4 was asked to ${text}`);
      upstream.write(text);
    });
    client.on('end', () => upstream.end());
    upstream.on('data', (text: string) => client.write(text.replace(/^Version: .*$/m, 'Version: 2.4.0')));
    upstream.on('end', () => client.end());
  });
  await new Promise<void>((done) => server.listen(path, done));
  return {
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

describe('an HAProxy that takes no servers at run time', () => {
  let dir: string;
  let port: number;
  let upstreams: Upstream[];
  let haproxy: Haproxy;
  let socket: { stop(): Promise<void> };
  let bed: GeneratorBed;

  beforeEach(async () => {
    dir = makeTempDir('old');
    port = await freePort();
    upstreams = await Promise.all(
      [1, 2, 3].map((n) => startHttpUpstream({ identity: `u${n}`, host: `127.0.7.${n}` })),
    );
    const { global, defaults } = testBase(dir);
    const lines = ['global', ...global, 'defaults', ...defaults, 'listen idle'];
    const config = [...lines, `bind 127.0.0.1:${await freePort()}`, ''].join('\n');
    haproxy = await startHaproxy({ dir, config });
    socket = await startOldSocket(join(dir, 'old.sock'), haproxyPaths(dir).adminSocket);
  });
  afterEach(async () => {
    await bed.stop();
    await socket.stop();
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  const start = (more: Readonly<Record<string, unknown>> = {}, socketName = 'old.sock'): void => {
    bed = startGenerator(
      topLevel(dir, { socket_file_path: join(dir, socketName), use_nerve_weights: true, ...more }),
    );
  };

  function web(
    weights: Readonly<Record<number, number>>,
    more: Readonly<Record<string, unknown>> = {},
  ): Services {
    const instances = Object.entries(weights).map(([n, weight]) =>
      instanceOf(upstreams[Number(n) - 1]!, { weight }),
    );
    return { web: { instances, haproxy: { port, server_options: 'check inter 1s', ...more } } };
  }

  it('is reloaded for a server that comes, with the reason, and no request fails', async () => {
    start({ state_file_path: null });
    await bed.settle(web({ 1: 1 }));
    const load = startLoad({ port, clients: 4, connections: 'fresh', maxRequests: 50_000 });
    // Two at once are one reload.
    expect(reloads(await bed.settle(web({ 1: 1, 2: 1, 3: 1 })))).toBe(1);
    await eventually(() => upstreams[1]!.served > 0 && upstreams[2]!.served > 0, { what: 'both serve' });
    expect(reloads(await bed.settle(web({ 2: 1, 3: 1 })))).toBe(1);
    expect(await serversOf(haproxyPaths(dir).adminSocket, 'web')).toHaveLength(2);
    const { failures } = await load.stop(20);
    expect(failures).toEqual([]);
    const reload = 'smartstack_haproxy_reload_total{reason="no-dynamic-servers",result="success"}';
    expect(await bed.metrics()).toContain(`${reload} 2`);
  });

  it.each([
    ['it is old and forgets them', 'old.sock', { state_file_path: null }, {}],
    ['it is old and remembers them', 'old.sock', {}, {}],
    ['its balancing is static', 'admin.sock', {}, { backend: ['balance static-rr'] }],
  ])('serves on when all servers are replaced at once, where %s', async (_, name, top, service) => {
    start(top, name);
    await bed.settle(web({ 1: 1 }, service));
    const load = startLoad({ port, clients: 4, connections: 'fresh', maxRequests: 50_000 });
    await eventually(() => upstreams[0]!.served > 10, { what: 'the first serves' });
    expect(reloads(await bed.settle(web({ 2: 1, 3: 1 }, service)))).toBe(1);
    await eventually(() => upstreams[1]!.served > 10 && upstreams[2]!.served > 10, {
      what: 'the others serve',
    });
    expect(await inRotation(haproxy.adminSocket, 'web')).toHaveLength(2);
    expect((await load.stop()).failures).toEqual([]);
  });

  it('takes weights, and a server out of rotation and back, without a reload', async () => {
    start();
    await bed.settle(web({ 1: 1, 2: 1 }));
    const worker = await haproxy.workerPid();
    const { adminSocket } = haproxyPaths(dir);
    await bed.settle(web({ 1: 1, 2: 7 }));
    expect((await serversOf(adminSocket, 'web')).join()).toMatch(/u1_\S+ ready 1,u2_\S+ ready 7/);
    // It stays in the file as `disabled`, as with Ruby, and waits for its return.
    await bed.settle(web({ 1: 1 }));
    expect(await inRotation(adminSocket, 'web')).toHaveLength(1);
    await bed.settle(web({ 1: 1, 2: 7 }));
    await eventually(async () => (await inRotation(adminSocket, 'web')).length === 2, { what: 'it is back' });
    expect(await haproxy.workerPid()).toBe(worker);
  });

  it('loses a server from rotation before the reload that removes it may come', async () => {
    start({ state_file_path: null, restart_interval: 60 });
    await bed.settle(web({ 1: 1, 2: 1 }));
    const worker = await haproxy.workerPid();
    const { outcome, againInMs } = await bed.reconcile(web({ 1: 1 }));
    expect(outcome).toBe('waiting');
    expect(againInMs).toBeGreaterThan(1_000);
    expect(await inRotation(haproxyPaths(dir).adminSocket, 'web')).toHaveLength(1);
    const [reason] = bed.status().reloadReasons;
    expect(reason).toMatchObject({ kind: 'no-dynamic-servers' });
    expect(reason?.detail).toMatch(/^web\/u2_\S+: HAProxy 2.4.0 keeps servers until a reload$/);
    expect(await haproxy.workerPid()).toBe(worker);
  });
});
