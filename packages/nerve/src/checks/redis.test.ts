import { describe, expect, it, vi } from 'vitest';
import { selfSigned } from '../testing/certificates.js';
import { checkOf, probe } from '../testing/probe.js';
import { type TestServer, tcpServer } from '../testing/servers.js';
import { checkSchema } from './index.js';

const redis = { type: 'redis', timeout: 2 };

/** A peer that answers with these bytes, piece by piece, once it was asked. */
async function answering(...pieces: readonly string[]): Promise<TestServer & { readonly asked: string[] }> {
  const asked: string[] = [];
  const server = await tcpServer((socket) => {
    socket.once('data', (chunk) => {
      asked.push(chunk.toString());
      for (const piece of pieces) socket.write(piece);
    });
  });
  return { ...server, asked };
}

describe('redis check', () => {
  it('asks for PING and for a key in the words of Redis, and lets go', async () => {
    const server = await answering('+PO', 'NG\r', '\n:0\r\n');
    expect(await probe({ ...redis, key: 'kü' }, server.port)).toEqual({ ok: true });
    expect(server.asked).toEqual(['*1\r\n$4\r\nPING\r\n*2\r\n$6\r\nEXISTS\r\n$3\r\nkü\r\n']);
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });

  it.each([
    ['the key exists', '+PONG\r\n:1\r\n'],
    ['another node of the cluster has the key', '+PONG\r\n-MOVED 3999 10.0.0.2:6379\r\n'],
    ['the key is on its way to another node', '+PONG\r\n-ASK 3999 10.0.0.2:6379\r\n'],
  ])('passes when %s', async (_, answer) => {
    expect(await probe(redis, (await answering(answer)).port)).toEqual({ ok: true });
  });

  it.each([
    ['-LOADING Redis is loading\r\n', 'PING: LOADING Redis is loading'],
    ['-NOAUTH Authentication required.\r\n', 'PING: NOAUTH Authentication required.'],
    ['+PONG\r\n-ERR no \u001b[2J\r\n', 'EXISTS: ERR no  [2J'],
    ['+OK\r\n', 'PING: the peer does not speak the protocol of Redis'],
  ])('fails on %j', async (answer, reason) => {
    expect(await probe(redis, (await answering(answer)).port)).toEqual({ ok: false, reason });
  });

  it('logs in first', async () => {
    const server = await answering('+OK\r\n+PONG\r\n:0\r\n');
    expect(await probe({ ...redis, username: 'u', password: 'p' }, server.port)).toEqual({ ok: true });
    expect(server.asked[0]).toMatch(/^\*3\r\n\$4\r\nAUTH\r\n\$1\r\nu\r\n\$1\r\np\r\n\*1\r\n/);
  });

  it('does not tell the password, whatever the peer repeats', async () => {
    const { port } = await answering('-ERR wrong: secret\r\n');
    expect(await probe({ ...redis, password: 'secret' }, port)).toEqual({
      ok: false,
      reason: 'AUTH: ERR wrong: ***',
    });
  });

  it('is named and timed as in Ruby', () => {
    expect(checkOf({ type: 'redis' }, 6379)).toMatchObject({
      name: 'web redis-127.0.0.1:6379',
      deadlineMs: 100,
    });
  });

  it.each([
    [{ username: 'u' }, 'username: needs password or password_file'],
    [{ password: 'p', password_file: '/p' }, 'password_file: there is a password already'],
    [{ tls_ca_file: '/ca.pem' }, 'tls_ca_file: needs tls: true'],
    [{ tls: true, tls_verify: false, tls_ca_file: '/ca.pem' }, 'tls_ca_file: needs tls_verify: true'],
    [{ tls_server_name: 'web' }, 'tls_server_name: needs tls: true'],
  ])('refuses %j', (options, message) => {
    const issues = checkSchema.safeParse({ type: 'redis', ...options }).error?.issues ?? [];
    expect(JSON.stringify(issues)).toContain(JSON.stringify(message.replace(/^\w+: /, '')));
  });

  it('verifies the certificate unless told not to', async () => {
    const { createServer } = await import('node:tls');
    const { listen } = await import('../testing/servers.js');
    const pair = await selfSigned('IP:127.0.0.1');
    const server = await listen(createServer(pair, (socket) => void socket.resume().end('+PONG\r\n:0\r\n')));
    const tls = { ...redis, tls: true };
    expect(await probe(tls, server.port)).toMatchObject({
      reason: expect.stringMatching(/self.signed/) as string,
    });
    expect(await probe({ ...tls, tls_verify: false }, server.port)).toEqual({ ok: true });
    expect(await probe({ ...tls, tls_ca_file: pair.certFile }, server.port)).toEqual({ ok: true });
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });
});
