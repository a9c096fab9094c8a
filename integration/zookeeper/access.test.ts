import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir } from '../harness/tempDir.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { closeSessionsAfterEach, instance, sessionIdOf, testSession } from './bed.ts';

let server: ZooKeeperServer;
beforeAll(async () => {
  server = await startZooKeeper();
});
afterAll(() => server.dispose());

const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((one) => new Promise((resolve) => one.close(resolve))));
});
closeSessionsAfterEach();

/** Forwards to the ZooKeeper server, in TLS if told, on an address of choice. */
async function forward(host: string, tls?: TlsOptions): Promise<number> {
  const port = await freePort();
  const onConnection = (socket: Socket): void => {
    const upstream = connect(server.port, '127.0.0.1');
    socket.pipe(upstream).pipe(socket);
    for (const end of [socket, upstream]) {
      end.on('error', () => undefined);
      end.on('close', () => {
        socket.destroy();
        upstream.destroy();
      });
    }
  };
  const listener = tls ? createTlsServer(tls, onConnection) : createServer(onConnection);
  listener.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => listener.listen(port, host, resolve));
  servers.push(listener);
  return port;
}

describe('chroot', () => {
  it('is created with the first path below it, and hides everything else', async () => {
    const inside = testSession(`${server.address}/jail/deep`).session;
    const outside = testSession(server.address).session;
    const registration = inside.register({ parent: '/services/web', mode: 'ephemeral_sequential' });
    registration.want({ name: 'i_', data: instance('h', 1) });
    await registration.settled(AbortSignal.timeout(5_000));
    expect(registration.state).toMatchObject({ path: '/services/web/i_0000000000' });
    expect((await outside.getChildren('/jail/deep/services/web')).children).toEqual(['i_0000000000']);
    const watch = inside.watchChildren('/services/web', { onSnapshot: () => undefined });
    await eventually(() => watch.last?.children.size === 1, { what: 'the watch sees it' });
    await outside.create('/jail/deep/services/web/x', Buffer.from('1'), 'persistent');
    await eventually(() => watch.last?.children.size === 2, { what: 'events are understood' });
    expect(await inside.create('/services/web/y', Buffer.alloc(0), 'ephemeral')).toBe('/services/web/y');
    expect(await inside.exists('/jail')).toBeUndefined();
    await outside.delete('/jail/deep/services/web/i_0000000000', -1);
    await eventually(() => watch.last?.children.has('i_0000000003'), { what: 'the registration heals' });
  });
});

describe('several hosts', () => {
  it('one that is down, one that does not resolve, one that works: connects', async () => {
    const dead = await freePort();
    const { connected, session } = testSession([
      `127.0.0.1:${dead}`,
      'no-such-host.invalid:2181',
      server.address,
    ]);
    await connected();
    expect(session.state).toMatchObject({ server: server.address });
  });

  it('every address of a name is tried, and names are resolved on each cycle', async () => {
    const asked: string[] = [];
    let addresses = ['127.0.0.2', '127.0.0.3'];
    const resolve = (host: string): Promise<readonly string[]> => {
      asked.push(host);
      return Promise.resolve(addresses);
    };
    const { connected, session } = testSession(`zk.example:${server.port}`, { resolve });
    await eventually(() => asked.length > 2, { what: 'a third cycle' });
    addresses = ['127.0.0.2', '127.0.0.1'];
    await connected();
    expect(session.state).toMatchObject({ server: `zk.example:${server.port}` });
  });

  it('a resolver that hangs does not keep a known address from being dialled', async () => {
    let hang = false;
    const resolve = (): Promise<readonly string[]> =>
      hang ? new Promise(() => undefined) : Promise.resolve(['127.0.0.1']);
    const { connected, session } = testSession(`zk.example:${server.port}`, {
      resolve,
      sessionTimeoutMs: 1_500,
    });
    await connected();
    const id = sessionIdOf(session);
    hang = true;
    await server.kill();
    await eventually(() => session.state.kind === 'suspended', { what: 'suspended' });
    await server.start();
    await eventually(() => session.state.kind === 'connected', { what: 'connected again', timeoutMs: 5_000 });
    expect(sessionIdOf(session)).toBe(id);
  });

  it('IPv6 literals', async () => {
    const port = await forward('::1');
    const { connected, session } = testSession(`[::1]:${port}`);
    await connected();
    expect(session.state).toMatchObject({ server: `[::1]:${port}` });
  });
});

describe('TLS', () => {
  const folder = makeTempDir('tls');
  const key = join(folder, 'key.pem');
  const cert = join(folder, 'cert.pem');
  beforeAll(() => {
    const subject = ['-subj', '/CN=zk.example', '-addext', 'subjectAltName=DNS:zk.example,IP:127.0.0.1'];
    const files = ['-keyout', key, '-out', cert];
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...files, ...subject],
      {
        stdio: 'ignore',
      },
    );
  });
  const serverSide = (): TlsOptions => ({ key: readFileSync(key), cert: readFileSync(cert) });
  const resolve = (): Promise<readonly string[]> => Promise.resolve(['127.0.0.1']);

  it('by name and by address, with the certificate checked', async () => {
    const port = await forward('127.0.0.1', serverSide());
    const tls = { caFile: cert };
    for (const host of ['zk.example', '127.0.0.1']) {
      const { session, connected } = testSession(`${host}:${port}`, { tls, resolve });
      await connected();
      expect(await session.exists('/')).toBeDefined();
    }
  });

  it.each([
    ['a certificate for another name', 'other.example', true, /altnames/],
    ['a certificate that nobody vouches for', 'zk.example', false, /self-signed/],
  ])('%s: refused, with the reason', async (_, host, trusted, reason) => {
    const port = await forward('127.0.0.1', serverSide());
    const { session, log } = testSession(`${host}:${port}`, {
      tls: trusted ? { caFile: cert } : {},
      resolve,
    });
    await eventually(() => log.records.some(({ fields }) => reason.test(String(fields.problem))), {
      what: 'the reason',
    });
    expect(session.state.kind).toBe('connecting');
  });

  it('a client with TLS at a plain port, and one without at a TLS port: a warning each', async () => {
    const plain = testSession(server.address, { tls: {} });
    const port = await forward('127.0.0.1', serverSide());
    const bare = testSession(`127.0.0.1:${port}`, { sessionTimeoutMs: 1_500 });
    await eventually(() => plain.warnings().length > 0 && bare.warnings().length > 0, {
      what: 'the warnings',
    });
  });
});

it('a registration with an ACL: the node is closed to others, its parents are open', async () => {
  const auth = [{ scheme: 'digest', data: Buffer.from('nerve:secret') }];
  const acl = [
    { permissions: 'cdrwa', scheme: 'auth', id: '' },
    { permissions: 'r', scheme: 'world', id: 'anyone' },
  ];
  const { session } = testSession(server.address, { auth });
  const registration = session.register({ parent: '/acl/web', mode: 'ephemeral_sequential', acl });
  registration.want({ name: 'i_', data: instance('h', 1) });
  await registration.settled(AbortSignal.timeout(5_000));
  const other = testSession(server.address).session;
  expect((await other.getData('/acl/web/i_0000000000')).data).toEqual(instance('h', 1));
  await expect(other.setData('/acl/web/i_0000000000', Buffer.from('x'), -1)).rejects.toMatchObject({
    kind: 'NoAuth',
  });
  await other.create('/acl/web/mine', Buffer.alloc(0), 'persistent');
});
