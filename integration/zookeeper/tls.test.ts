import { copyFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, makeAuthority } from '../harness/certificates.ts';
import { eventually } from '../harness/eventually.ts';
import { type SecureZooKeeper, startSecureZooKeeper } from '../harness/secureZooKeeper.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { closeSessionsAfterEach, instance, sessionIdOf, type TestSession, testSession } from './bed.ts';

let folder: string;
let authority: Authority;
let stranger: Authority;
let server: SecureZooKeeper;
beforeAll(async () => {
  folder = makeTempDir('tls');
  authority = makeAuthority(folder, 'ours');
  stranger = makeAuthority(folder, 'theirs');
  server = await startSecureZooKeeper(authority, 'need');
});
afterAll(async () => {
  await server.dispose();
  removeTempDir(folder);
});
closeSessionsAfterEach();

const problems = ({ log }: TestSession): string[] =>
  log.records.filter(({ level }) => level === 'warn').map(({ fields }) => String(fields.problem));

/** Writes the files of a client under names that stay, each by rename as whoever rotates them does. */
function install(from: Authority, name: string) {
  const files = { certFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) };
  const issued = from.issue(name);
  for (const key of ['certFile', 'keyFile'] as const) {
    copyFileSync(issued[key], `${files[key]}.new`);
    renameSync(`${files[key]}.new`, files[key]);
  }
  return files;
}

describe("ZooKeeper's own TLS port", () => {
  it('with a client certificate: registers, watches, withdraws', async () => {
    const tls = { caFile: authority.caFile, ...install(authority, 'client') };
    const { session, connected } = testSession(server.secureAddress, { tls });
    await connected();
    const watch = session.watchChildren('/tls/web', { onSnapshot: () => undefined });
    const registration = session.register({ parent: '/tls/web', mode: 'ephemeral_sequential' });
    registration.want({ name: 'i_', data: instance('h', 1) });
    await registration.settled(AbortSignal.timeout(10_000));
    await eventually(() => watch.last?.children.size === 1, { what: 'the watch sees it' });
    registration.want(undefined);
    await eventually(() => watch.last?.children.size === 0, { what: 'the watch sees it go' });
    // Larger than a TLS record, which has 16 kB.
    const large = Buffer.alloc(400_000, 'x');
    await session.create('/tls/large', large, 'ephemeral');
    expect((await session.getData('/tls/large')).data).toEqual(large);
  });

  it.each([
    ['an authority that did not sign it', () => ({ caFile: stranger.caFile }), /ca_file/],
    ['no authority', () => ({}), /ca_file/],
    [
      'another name',
      () => ({ caFile: authority.caFile, serverName: 'zk.example' }),
      /zk\.example.*(server_name|altnames)/,
    ],
  ])('%s: says so once, in words, and goes on trying', async (_, trust, words) => {
    const client = testSession(server.secureAddress, {
      tls: { ...install(authority, 'client'), ...trust() },
      backoff: { minMs: 20, maxMs: 20 },
    });
    await eventually(
      () => client.log.records.filter(({ message }) => message === 'cannot connect to ZooKeeper').length > 3,
      { what: 'several attempts', timeoutMs: 20_000 },
    );
    expect(problems(client)).toEqual([expect.stringMatching(words)]);
    expect(problems(client)[0]).toContain(server.secureAddress);
    expect(client.session.state.kind).toBe('connecting');
  });

  it.each([
    ['no client certificate', () => ({})],
    ['a client certificate of strangers', () => install(stranger, 'stranger')],
  ])('%s: the words name cert_file', async (_, own) => {
    const client = testSession(server.secureAddress, {
      tls: { caFile: authority.caFile, ...own() },
      backoff: { minMs: 20, maxMs: 20 },
    });
    await eventually(() => problems(client).length > 0, { what: 'the reason', timeoutMs: 20_000 });
    expect(problems(client)[0]).toMatch(/cert_file/);
  });
});

describe('a rotated', () => {
  it('certificate, key and authority count from the next connection, and the registration stays', async () => {
    const files = install(authority, 'rotating');
    const caFile = join(folder, 'rotating-ca.pem');
    copyFileSync(authority.caFile, caFile);
    const client = testSession(server.secureAddress, {
      tls: { ...files, caFile },
      sessionTimeoutMs: 30_000,
    });
    const { session, connected } = client;
    await connected();
    const registration = session.register({ parent: '/rotated/web', mode: 'ephemeral_sequential' });
    registration.want({ name: 'i_', data: instance('h', 1) });
    await registration.settled(AbortSignal.timeout(10_000));
    const before = { session: sessionIdOf(session), state: registration.state };

    // Both are replaced by what this server refuses: only whoever reads them again can fail, and then recover.
    const bad = install(stranger, 'rotating');
    await server.kill();
    await server.start();
    await eventually(() => problems(client).some((text) => text.includes('cert_file')), {
      what: 'the new certificate is used, and refused',
      timeoutMs: 20_000,
    });
    expect(bad).toEqual(files);
    install(authority, 'rotating');
    await connected();
    expect(sessionIdOf(session)).toBe(before.session);
    await registration.settled(AbortSignal.timeout(10_000));
    expect(registration.state).toEqual(before.state);
  });

  it('pair that is half written, or gone for a while, leaves the one before in use', async () => {
    const files = install(authority, 'half');
    const client = testSession(server.secureAddress, {
      tls: { ...files, caFile: authority.caFile },
      sessionTimeoutMs: 30_000,
    });
    await client.connected();
    const id = sessionIdOf(client.session);
    const reconnected = async (): Promise<void> => {
      await server.kill();
      await eventually(() => client.session.state.kind === 'suspended', { what: 'cut' });
      await server.start();
      await client.connected();
      expect(sessionIdOf(client.session)).toBe(id);
    };
    // The new certificate is there, its key is not yet.
    copyFileSync(authority.issue('half').certFile, files.certFile);
    await reconnected();
    expect(client.warnings()).toContain('using the credentials read before');
    rmSync(files.keyFile);
    await reconnected();
    writeFileSync(files.keyFile, '');
    await reconnected();
  });

  it('authentication file counts from the next connection', async () => {
    const authFile = join(folder, 'auth');
    writeFileSync(authFile, 'digest:nerve:first\n');
    const { session, connected } = testSession(server.address, { authFile, sessionTimeoutMs: 30_000 });
    await connected();
    const acl = [{ permissions: 'cdrwa', scheme: 'auth', id: '' }];
    await session.create('/owned', Buffer.from('1'), 'persistent', { acl });
    const first = testSession(server.address, { authFile });
    expect((await first.session.getData('/owned')).data.toString()).toBe('1');
    writeFileSync(authFile, 'digest:nerve:second\n');
    const id = sessionIdOf(session);
    await server.kill();
    await server.start();
    await eventually(
      () =>
        session.getData('/owned').then(
          () => false,
          (error: unknown) => (error as { kind?: string }).kind === 'NoAuth',
        ),
      { what: 'the old credentials are no longer ours', timeoutMs: 20_000 },
    );
    expect(sessionIdOf(session)).toBe(id);
  });
});
