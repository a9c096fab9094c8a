import type { ZkPath } from '@smartstack/registry';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually, holds } from '../harness/eventually.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { prepareZooKeeper, startZooKeeper } from '../harness/zookeeper.ts';
import { children, childrenOf, observe, ready, startNerve } from './bed.ts';
import { app, freshPath, serviceAt, tcp, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();
const service = (path: ZkPath, extra: object = {}): object => serviceAt(bed.address, path, extra);

describe('nerve', () => {
  it('registers when the app comes up and withdraws when it goes', async () => {
    const path = freshPath();
    const session = observe(bed.address);
    const server = await app();
    const { port } = server;
    server.close();
    const nerve = await startNerve({ main: { services: { web: service(path, tcp(port)) } } });
    await ready(nerve);
    // A service that was never healthy creates no path.
    expect(await session.exists(path)).toBeUndefined();
    server.listen(port, '127.0.0.1');
    await childrenOf(session, path, 1);
    server.close();
    server.closeAllConnections();
    await childrenOf(session, path, 0);
    const [status] = (await nerve.status()).services;
    expect(status?.transitions.map(({ to }) => to)).toEqual(['down', 'up', 'down']);
    expect(status?.reason).toContain('ECONNREFUSED');
  });

  it('keeps apart two services that share a path, an instance id and a session', async () => {
    const path = freshPath();
    const session = observe(bed.address);
    const nerve = await startNerve({
      main: { services: { a: service(path), b: service(path, { port: 8081 }), twin: service(path) } },
    });
    await ready(nerve);
    const ports = (await childrenOf(session, path, 3)).map(
      ({ data }) => (JSON.parse(data) as { port: number }).port,
    );
    expect(ports.toSorted()).toEqual([8080, 8080, 8081]);
    expect(
      (await bed.fourLetterWord('cons')).split('\n').filter((line) => line.includes('to=2000')),
    ).not.toEqual([]);
    nerve.write('nerve.yaml', {
      instance_id: 'i-0abc',
      admin: { listen: `127.0.0.1:${nerve.admin}` },
      services: { a: service(path) },
    });
    await childrenOf(session, path, 1);
  });

  it('starts before ZooKeeper, registers once it comes, and survives its restart', async () => {
    const own = await prepareZooKeeper();
    onTestFinished(() => own.dispose());
    const path: ZkPath = '/late/services';
    const main = { services: { web: { ...service(path), zk_hosts: [own.address] } } };
    const nerve = await startNerve({ main });
    await eventually(async () => (await nerve.status()).services[0]?.health === 'up', {
      what: 'it is checked',
    });
    const { status, body } = await nerve.get('/readyz');
    expect(status).toBe(503);
    expect(body).toContain('connecting');
    expect((await nerve.get('/healthz')).status).toBe(200);
    await own.start();
    const session = observe(own.address);
    await childrenOf(session, path, 1);
    await ready(nerve);
    await own.kill();
    await eventually(async () => (await nerve.get('/readyz')).status === 503, {
      what: 'the loss shows',
      timeoutMs: 30_000,
    });
    await own.start();
    await ready(nerve);
    await holds(async () => (await children(session, path)).length === 1, {
      what: 'exactly one node',
      forMs: 500,
    });
  });

  it('stops in time with ZooKeeper unreachable', async () => {
    const own = await startZooKeeper();
    onTestFinished(() => own.dispose());
    const nerve = await startNerve({
      main: { stop_timeout: 3, services: { web: { ...service('/x'), zk_hosts: [own.address] } } },
    });
    await ready(nerve);
    own.pause();
    // Its threads stop one by one; the last of them may still answer.
    const threads = `/proc/${own.pid}/task`;
    const isStopped = (id: string): boolean =>
      /^State:\s+T/m.test(readFileSync(join(threads, id, 'status'), 'utf8'));
    await eventually(() => readdirSync(threads).every(isStopped), { what: 'the server has stopped' });
    const started = performance.now();
    await nerve.stop('SIGTERM');
    expect(await nerve.exited).toBe(0);
    // 3 s, and no session's timeout on top.
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(nerve.output).toContain('could not withdraw in time');
  });

  it('withdraws at once even while a file system hangs', async () => {
    const path = freshPath();
    const session = observe(bed.address);
    const folder = makeTempDir('nerve');
    onTestFinished(() => removeTempDir(folder));
    // Opening a pipe that nobody reads takes for ever.
    execFileSync('mkfifo', [join(folder, 'beat')]);
    const main = { heartbeat_path: 'beat', services: { web: service(path) } };
    const nerve = await startNerve({ main, folder });
    await ready(nerve);
    nerve.signal('SIGTERM');
    await eventually(async () => (await children(session, path)).length === 0, {
      what: 'it is withdrawn',
    });
    await eventually(() => nerve.output.includes('"stopped"'), { what: 'it is done' });
  });

  it('leaves exactly one node after kill -9 and a new start', async () => {
    const path = freshPath();
    const session = observe(bed.address);
    const main = { services: { web: service(path) } };
    const first = await startNerve({ main });
    const [old] = await childrenOf(session, path, 1);
    await first.stop('SIGKILL');
    const second = await startNerve({ main });
    await ready(second);
    const [node] = await eventually(
      async () => {
        const found = await children(session, path);
        return found.length === 1 && found[0]?.path !== old?.path ? found : undefined;
      },
      { what: 'only the new node is there', timeoutMs: 10_000 },
    );
    await holds(async () => (await children(session, path))[0]?.path === node?.path, {
      what: 'it stays',
      forMs: 500,
    });
  });

  it('lets a new nerve start beside the old one (trap 30), which still holds the admin port', async () => {
    const path = freshPath();
    const session = observe(bed.address);
    const old = await startNerve({ main: { services: { web: service(path) } } });
    await ready(old);
    const next = await startNerve({
      main: { services: { web: service(path) }, admin: { listen: `127.0.0.1:${old.admin}` } },
    });
    await childrenOf(session, path, 2);
    await old.stop('SIGTERM');
    await eventually(async () => (await fetch(`http://127.0.0.1:${old.admin}/readyz`)).status === 200, {
      what: 'the new one has the port',
      timeoutMs: 5_000,
    });
    expect(next.running).toBe(true);
    await childrenOf(session, path, 1);
  });

  it('touches its heartbeat file', async () => {
    const nerve = await startNerve({ main: { heartbeat_path: 'beat' } });
    await ready(nerve);
    await eventually(() => statSync(join(nerve.folder, 'beat'), { throwIfNoEntry: false }), {
      what: 'the file is there',
    });
  });
});
