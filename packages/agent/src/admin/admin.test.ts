import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentError } from '../errors.js';
import { systemClock } from '../clock.js';
import { createMetrics } from '../metrics.js';
import { RecordingLogger } from '../testing/index.js';
import type { AdminAddress, AdminOptions } from './index.js';
import { AdminServer } from './server.js';
import { jsonResponse } from './routes.js';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let dir: string;
let server: AdminServer | undefined;
let logger: RecordingLogger;
let healthy: boolean;
let hanging: number;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'admin-'));
  logger = new RecordingLogger();
  healthy = true;
  hanging = 0;
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(dir, { recursive: true });
});

function options(listen: readonly AdminAddress[] = [{ host: '127.0.0.1', port: 0 }]): AdminOptions {
  const metrics = createMetrics();
  metrics.counter({ name: 'a_total', help: 'A.' }).inc();
  return {
    listen,
    logger,
    metrics,
    allowedHosts: ['VM-1.example'],
    health: () => ({ ok: healthy }),
    ready: () => ({ ok: healthy, waiting: ['zookeeper'] }),
    status: () => ({ session: 2n ** 63n, error: new Error('x'), map: new Map([['a', 1]]) }),
    clock: systemClock,
    name: 'test',
    version: '1.2.3',
    routes: async () => [
      {
        method: 'PUT',
        path: '/services/:name/weight/:weight',
        handle: ({ params, body, query }) =>
          jsonResponse({ params, body: body.toString(), query: [...query] }, 202),
      },
      { method: 'GET', path: '/broken', handle: () => Promise.reject(new Error('secret')) },
      {
        method: 'GET',
        path: '/hangs',
        handle: () => {
          hanging += 1;
          return new Promise(() => undefined);
        },
      },
    ],
  };
}

async function start(listen?: readonly AdminAddress[]): Promise<AdminAddress> {
  server = await AdminServer.listen(options(listen));
  return server.addresses[0]!;
}

async function ask(
  address: AdminAddress,
  path: string,
  {
    method = 'GET',
    headers = {},
    body = '',
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const where = 'socket' in address ? { socketPath: address.socket } : address;
  const sent = request({ ...where, path, method, headers, agent: false });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}

/** What the server says to raw bytes before it closes the connection. */
async function raw(address: AdminAddress, bytes: string): Promise<string> {
  if ('socket' in address) throw new Error('not a port');
  const socket = connect(address.port, address.host);
  socket.on('error', () => undefined);
  socket.write(bytes);
  return text(socket).catch(() => '');
}

describe('the four routes', () => {
  it('answers 200 when fine and 503 when not, with details', async () => {
    const address = await start();
    expect(await ask(address, '/healthz')).toMatchObject({ status: 200, body: '{\n  "ok": true\n}\n' });
    healthy = false;
    expect((await ask(address, '/healthz')).status).toBe(503);
    const ready = await ask(address, '/readyz');
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.body)).toEqual({ ok: false, waiting: ['zookeeper'] });
  });

  it('shows metrics, and any status as JSON', async () => {
    const address = await start();
    const metrics = await ask(address, '/metrics');
    expect(metrics.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(metrics.body).toContain('a_total 1');
    const status = await ask(address, '/status?x=1');
    expect(status.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    });
    expect(JSON.parse(status.body)).toMatchObject({
      session: '9223372036854775808',
      error: { message: 'x' },
      map: { a: 1 },
    });
  });

  it('answers HEAD as GET without a body, and other methods with 405', async () => {
    const address = await start();
    const head = await ask(address, '/status', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(Number(head.headers['content-length'])).toBeGreaterThan(2);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const refused = await ask(address, '/status', { method });
      expect(refused.status).toBe(405);
      expect(refused.headers.allow).toBe('GET, HEAD');
    }
    expect((await ask(address, '/')).status).toBe(404);
  });
});

describe('the route table', () => {
  it('gives parameters, query and body', async () => {
    const address = await start([{ socket: join(dir, 'a.sock') }]);
    const answer = await ask(address, '/services/a%20b%2Fc/weight/5?force=1', {
      method: 'PUT',
      body: 'hello',
    });
    expect(answer.status).toBe(202);
    expect(JSON.parse(answer.body)).toEqual({
      params: { name: 'a b/c', weight: '5' },
      body: 'hello',
      query: [['force', '1']],
    });
    expect((await ask(address, '/services//weight/5', { method: 'PUT' })).status).toBe(404);
    expect((await ask(address, '/services/%zz/weight/5', { method: 'PUT' })).status).toBe(400);
  });

  it('answers 500 without details for a handler that fails, and logs it', async () => {
    const address = await start();
    const answer = await ask(address, '/broken');
    expect(answer).toMatchObject({ status: 500, body: '{\n  "error": "internal error"\n}\n' });
    expect(logger.records).toMatchObject([
      { level: 'error', message: 'admin request failed', fields: { url: '/broken' } },
    ]);
    expect((await ask(address, '/healthz')).status).toBe(200);
  });

  it('refuses a body that is too large', async () => {
    const address = await start([{ socket: join(dir, 'a.sock') }]);
    const put = { method: 'PUT', body: 'x'.repeat(65 * 1024) };
    expect((await ask(address, '/services/a/weight/5', put)).status).toBe(413);
  });
});

describe('the guard', () => {
  it('is in force', async () => {
    const address = await start();
    const status = async (host: string) => (await ask(address, '/healthz', { headers: { host } })).status;
    expect([await status('evil.example'), await status('vm-1.example:3455')]).toEqual([403, 200]);
  });

  it('refuses an empty host', async () => {
    const bytes = 'GET /healthz HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n';
    expect(await raw(await start(), bytes)).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('takes a request without a host from HTTP/1.0', async () => {
    expect(await raw(await start(), 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('refuses a change that a page of another site asks for', async () => {
    const address = await start();
    const put = { method: 'PUT', headers: { origin: 'http://evil.example' } };
    expect((await ask(address, '/services/a/weight/5', put)).status).toBe(403);
  });

  it.each([
    ['no HTTP', 'hello\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      'endless headers',
      `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(9000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 /,
    ],
    [
      'a URL that is none',
      'GET evil HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'an absolute URL',
      'GET http://evil/healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'two hosts',
      'GET / HTTP/1.1\r\nhost: localhost\r\nhost: evil\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 4/,
    ],
  ])('survives %s', async (_, bytes, answer) => {
    const address = await start();
    expect(await raw(address, bytes)).toMatch(answer);
    expect((await ask(address, '/healthz')).status).toBe(200);
  });
});

describe('listening', () => {
  it('says clearly that a port is in use, and leaves no other open', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const socket = join(dir, 'a.sock');
    const failure = AdminServer.listen(options([{ socket }, { host: '127.0.0.1', port }]));
    await expect(failure).rejects.toThrow(
      `Cannot listen on 127.0.0.1:${port}: the address is in use by another process`,
    );
    await expect(failure).rejects.toThrow(AgentError);
    await expect(stat(socket)).rejects.toThrow('ENOENT');
    other.close();
  });

  it.each([
    [{ host: '203.0.113.1', port: 0 }, 'this machine has no such address'],
    [{ socket: '/nonexistent/a.sock' }, 'its directory does not exist'],
  ])('says why it cannot listen on %j', async (address, why) => {
    await expect(AdminServer.listen(options([address]))).rejects.toThrow(why);
  });

  it('serves a unix socket under any host name, readable for its group', async () => {
    const socket = join(dir, 'a.sock');
    const address = await start([{ socket }, { host: '::1', port: 0 }]);
    expect((await ask(address, '/healthz', { headers: { host: 'whatever' } })).status).toBe(200);
    expect((await stat(socket)).mode & 0o777).toBe(0o660);
    await server?.close();
    await expect(stat(socket)).rejects.toThrow('ENOENT');
  });

  it('replaces the socket of an agent that was killed, but not that of one that runs', async () => {
    const socket = join(dir, 'a.sock');
    const script = `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`;
    const { execFileSync } = await import('node:child_process');
    expect(() => execFileSync(process.execPath, ['-e', script], { stdio: 'ignore' })).toThrow();
    expect((await stat(socket)).isSocket()).toBe(true);
    await start([{ socket }]);
    await expect(AdminServer.listen(options([{ socket }]))).rejects.toThrow('in use');
    expect((await ask({ socket }, '/healthz')).status).toBe(200);
  });

  it('does not delete a file in the place of its socket', async () => {
    const socket = join(dir, 'precious');
    await writeFile(socket, 'data');
    await expect(AdminServer.listen(options([{ socket }]))).rejects.toThrow('in use');
    expect((await stat(socket)).size).toBe(4);
  });

  it('closes promptly when told to, idle and hanging connections included', async () => {
    const address = await start();
    if ('socket' in address) throw new Error('not a port');
    const idle = connect(address.port, address.host);
    await once(idle, 'connect');
    const refused = expect(ask(address, '/hangs')).rejects.toThrow(/socket hang up|ECONNRESET/);
    await vi.waitFor(() => expect(hanging).toBe(1));
    const stop = new AbortController();
    const running = server!.run(stop.signal);
    const started = performance.now();
    stop.abort();
    await running;
    await refused;
    if (!idle.closed) await once(idle.resume(), 'close');
    expect(performance.now() - started).toBeLessThan(500);
  });
});
