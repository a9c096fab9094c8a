import type { Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { probe } from '../testing/probe.js';
import { tcpServer } from '../testing/servers.js';

/** Every check that speaks a protocol, as options that would log in where they can. */
const login = { username: 'someone', password: 'Tr0ub4dor' };
const protocols: Readonly<Record<string, object>> = {
  http: { type: 'http', uri: '/' },
  'http with TLS': { type: 'http', uri: '/', ssl: true },
  redis: { type: 'redis', ...login },
  'redis with TLS': { type: 'redis', ...login, tls: true, tls_verify: false },
  rabbitmq: { type: 'rabbitmq', ...login },
  'rabbitmq with TLS': { type: 'rabbitmq', ...login, tls: true, tls_verify: false },
  postgres: { type: 'postgres', ...login },
  'postgres with TLS': { type: 'postgres', ...login, tls: true, tls_verify: false },
  mysql: { type: 'mysql', ...login },
  'mysql with TLS': { type: 'mysql', ...login, tls: true, tls_verify: false },
  grpc: { type: 'grpc' },
  'grpc with TLS': { type: 'grpc', tls: true, tls_verify: false },
};

const drip =
  (bytes: string) =>
  (socket: Socket): void => {
    let at = 0;
    const timer = setInterval(() => socket.write(bytes[at++ % bytes.length] ?? '', 'latin1'), 5);
    socket.once('close', () => clearInterval(timer));
  };

const says =
  (bytes: string) =>
  (socket: Socket): void =>
    void socket.write(bytes, 'latin1');

/** What all peers have flooded the check with, in bytes. */
let flooded = 0;
const floods =
  (bytes: Buffer) =>
  (socket: Socket): void => {
    const fill = (): void => {
      // Far more than any check may take, and little enough for a test that fails to end.
      while (!socket.destroyed && flooded < 400_000_000) {
        flooded += bytes.length;
        if (!socket.write(bytes)) return;
      }
    };
    socket.on('drain', fill);
    fill();
  };

/** The greeting of a server of MySQL, whose next words are not to come. */
const mysqlGreeting =
  '\x4a\0\0\0\x0a5.5.5-10.11\0\x01\0\0\0abcdefgh\0\xff\xf7\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\0\0\0\0abcdefghijkl\0mysql_native_password\0';
/** HTTP/2's settings, empty. */
const settings = '\0\0\0\x04\0\0\0\0\0';
/** The beginning of a frame of AMQP that is to be very long. */
const longFrame = '\x01\0\0\x7f\xff\xff\xff';

const attacks: Readonly<Record<string, (socket: Socket) => void>> = {
  'says nothing': () => undefined,
  'closes at once': (socket) => void socket.end(),
  'resets at once': (socket) => void socket.resetAndDestroy(),
  'resets after the first words': (socket) => void socket.once('data', () => socket.resetAndDestroy()),
  'closes after the first words': (socket) => void socket.once('data', () => socket.end()),
  'repeats what it hears': (socket) => void socket.pipe(socket),
  'drips zeros': drip('\0'),
  'drips a line without end': drip('+'),
  'drips a frame of AMQP': drip(longFrame),
  'speaks SSH': says('SSH-2.0-OpenSSH_9.2\r\n'),
  'speaks SMTP': says('220 mail ESMTP\r\n'),
  'speaks TLS': says('\x15\x03\x01\x00\x02\x02\x46'),
  'speaks MySQL': says(mysqlGreeting),
  'speaks HTTP/2': says(settings),
  'speaks Redis': says('-ERR unknown command\r\n-ERR\r\n-ERR\r\n-ERR\r\n'),
  'speaks PostgreSQL': says('R\0\0\0\x08\0\0\0\x0a'),
  'is told that it needs no TLS': says('N'),
  'answers 400': says('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
  'announces a long frame': says(longFrame),
};

const endless: typeof attacks = {
  'floods with zeros': floods(Buffer.alloc(65_536)),
  'floods with text': floods(Buffer.alloc(65_536, 'x')),
  'floods with answers': floods(Buffer.from('HTTP/1.1 500 No\r\n\r\n'.repeat(4_000))),
};

const limits = { timeout: 0.1, open_timeout: 0.1, ssl_timeout: 0.1 };

/** Executes the check against such a peer. Returns what it says, and asserts that it lets go. */
async function attacked(options: object, attack: (socket: Socket) => void): Promise<unknown> {
  const server = await tcpServer(attack);
  const limit = 'uri' in options ? limits : { timeout: limits.timeout };
  const started = performance.now();
  const result = await probe({ ...options, ...limit }, server.port);
  // Well below what the libraries grant on their own, and far above what a busy machine takes.
  expect(performance.now() - started).toBeLessThan(1500);
  expect(JSON.stringify(result)).not.toContain(login.password);
  await vi.waitFor(() => expect(server.open.size).toBe(0), { interval: 5 });
  return result;
}

describe.each(Object.entries(protocols))('the check %s', (_, options) => {
  const bad = { ok: false, reason: expect.stringMatching(/^.{3,400}$/) as string };

  it('fails, in time and leaving nothing behind, whatever its peer does', async () => {
    const all = Object.entries(attacks);
    const results = await Promise.all(
      all.map(async ([name, attack]) => [name, await attacked(options, attack)] as const),
    );
    expect(Object.fromEntries(results)).toEqual(Object.fromEntries(all.map(([name]) => [name, bad])));
  });

  it.each(Object.entries(endless))('takes little of what a peer that %s has', async (_name, attack) => {
    flooded = 0;
    expect(await attacked(options, attack)).toEqual(bad);
    expect(flooded).toBeLessThan(100_000_000);
  });

  it('fails when nothing listens', async () => {
    const { port, close } = await tcpServer(() => undefined);
    await close();
    const result = await probe({ ...options, timeout: 2 }, port);
    expect(result).toMatchObject({ reason: expect.stringContaining('ECONNREFUSED') as string });
  });
});
