import { describe, expect, it, vi } from 'vitest';
import { httpServer, tcpServer } from '../testing/servers.js';
import { checkOf, probe } from '../testing/probe.js';

const http = { type: 'http', uri: '/health', timeout: 0.3 };
const passed = { ok: true };
const failedWith = (reason: string | RegExp) => ({
  ok: false,
  reason: expect.stringMatching(reason) as string,
});

async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

describe('http check', () => {
  it.each([200, 204, 301, 399])('passes on %i', async (status) => {
    const { port } = await httpServer((_, response) => response.writeHead(status).end());
    expect(await probe(http, port)).toEqual(passed);
  });

  it.each([400, 404, 500, 503])('fails on %i', async (status) => {
    const { port } = await httpServer((_, response) => response.writeHead(status).end('no'));
    expect(await probe(http, port)).toEqual({ ok: false, reason: `answered ${status}` });
  });

  it('does not follow a redirect', async () => {
    const { port } = await httpServer((request, response) =>
      request.url === '/health'
        ? response.writeHead(302, { location: '/bad' }).end()
        : response.writeHead(500).end(),
    );
    expect(await probe(http, port)).toEqual(passed);
  });

  it('sends the path, the headers and the host', async () => {
    let seen: unknown;
    const { port } = await httpServer((request, response) => {
      seen = { url: request.url, ...request.headers };
      response.end();
    });
    await probe({ ...http, uri: '/health?deep=1', headers: { 'X-Check': 7, Host: 'web.internal' } }, port);
    expect(seen).toMatchObject({
      url: '/health?deep=1',
      'x-check': '7',
      host: 'web.internal',
      connection: 'close',
    });
  });

  it('finds the expected text, even across two chunks', async () => {
    const { port } = await httpServer((_, response) => {
      response.write('all sys');
      setTimeout(() => response.end('tems go'), 20);
    });
    expect(await probe({ ...http, expect: 'systems' }, port)).toEqual(passed);
    expect(await probe({ ...http, expect: 'sysxtems' }, port)).toEqual(
      failedWith('expected text is not in the body'),
    );
  });

  it('fails when nothing listens', async () => {
    const { port, close } = await httpServer(() => undefined);
    await close();
    expect(await probe(http, port)).toEqual(failedWith('ECONNREFUSED'));
  });

  it('fails at read_timeout when the server says nothing, and closes the connection', async () => {
    const server = await tcpServer(() => undefined);
    const took = await elapsedMs(async () =>
      expect(await probe({ ...http, read_timeout: 0.15 }, server.port)).toEqual(
        failedWith('no answer within 0.15 s'),
      ),
    );
    expect(took).toBeGreaterThanOrEqual(145);
    expect(took).toBeLessThan(600);
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });

  it('is not kept waiting by headers that drip', async () => {
    const server = await tcpServer((socket) => {
      const drip = setInterval(() => socket.write('x'), 10);
      socket.write('HTTP/1.1 200 OK\r\nX-Drip: ');
      socket.once('close', () => clearInterval(drip));
    });
    expect(await probe(http, server.port)).toEqual(failedWith('no answer within 0.3 s'));
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });

  it('passes a body that drips at 10 KB/s, unless something is expected at its end', async () => {
    const server = await httpServer((_, response) => {
      response.writeHead(200, { 'content-length': 1_000_000 });
      const drip = setInterval(() => response.write('x'.repeat(100)), 10);
      response.once('close', () => clearInterval(drip));
    });
    const took = await elapsedMs(async () => expect(await probe(http, server.port)).toEqual(passed));
    expect(took).toBeLessThan(800);
    expect(await probe({ ...http, expect: 'done' }, server.port)).toEqual(
      failedWith('not in what came within'),
    );
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });

  it('reads a bounded part of a body without end', async () => {
    let sent = 0;
    const server = await httpServer((_, response) => {
      const flood = (): void => {
        const chunk = Buffer.alloc(65_536, 120);
        while (!response.destroyed && sent < 200_000_000) {
          sent += chunk.length;
          if (!response.write(chunk)) return;
        }
      };
      response.on('drain', flood);
      flood();
    });
    expect(await probe({ ...http, timeout: 5 }, server.port)).toEqual(passed);
    expect(await probe({ ...http, timeout: 5, expect: 'y' }, server.port)).toEqual(
      failedWith('first 1048576 bytes'),
    );
    expect(sent).toBeLessThan(100_000_000);
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });

  it('fails on a body cut off before its announced end', async () => {
    const { port } = await tcpServer((socket) => {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort');
    });
    expect(await probe(http, port)).toEqual(failedWith('cut off in the middle of the body'));
  });

  it('fails when headers come and nothing of the body', async () => {
    const { port } = await tcpServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n');
    });
    expect(await probe(http, port)).toEqual(failedWith('nothing of the body within 0.3 s'));
  });

  it.each([
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['TLS', '\x15\x03\x01\x00\x02\x02\x46'],
    ['nonsense', '\0\0\0\0'],
    ['headers without end', `HTTP/1.1 200 OK\r\n${'X-Long: y\r\n'.repeat(50_000)}`],
  ])('fails on a peer that speaks %s', async (_, greeting) => {
    const server = await tcpServer((socket) => socket.write(greeting, 'latin1'));
    expect(await probe(http, server.port)).toMatchObject({ ok: false });
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });

  it('fails on an upgrade nobody asked for', async () => {
    const { port } = await tcpServer((socket) => {
      socket.write('HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n');
    });
    expect(await probe(http, port)).toEqual(failedWith('answered 101'));
  });

  it('bounds a TLS handshake that never comes by ssl_timeout', async () => {
    const server = await tcpServer(() => undefined);
    expect(await probe({ ...http, ssl: true, ssl_timeout: 0.1 }, server.port)).toEqual(
      failedWith('no TLS session within 0.1 s'),
    );
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });

  it('lets go at once when aborted', async () => {
    const server = await tcpServer(() => undefined);
    const stop = new AbortController();
    const result = checkOf({ ...http, timeout: 60 }, server.port).probe(stop.signal);
    await vi.waitFor(() => expect(server.open.size).toBe(1));
    stop.abort();
    expect(await result).toMatchObject({ ok: false });
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });

  it('gives open, TLS and read phases their own limits, as airbnb does (trap 7)', () => {
    expect(checkOf({ type: 'http', uri: '/' }).deadlineMs).toBeCloseTo(300);
    expect(checkOf({ type: 'http', uri: '/', timeout: 5 }).deadlineMs).toBeCloseTo(5200);
    expect(
      checkOf({ type: 'http', uri: '/', ssl: true, open_timeout: 1, read_timeout: '2' }).deadlineMs,
    ).toBeCloseTo(3200);
  });

  it('is named as airbnb names it', () => {
    expect(checkOf({ type: 'http', uri: '/h' }, 80).name).toBe('http-127.0.0.1:80/h');
    expect(checkOf({ type: 'http', uri: '/h', name: 'front' }).name).toBe('front');
  });
});
