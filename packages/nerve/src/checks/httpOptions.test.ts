import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { configDir } from '../testing/configDir.js';
import { checkOf, probe } from '../testing/probe.js';
import { httpServer } from '../testing/servers.js';
import { checkSchema } from './index.js';

const http = { type: 'http', uri: '/health', timeout: 5 };
const passed = { ok: true };

/** What the schema says about these options. */
function problems(options: Readonly<Record<string, unknown>>): readonly string[] {
  const { error } = checkSchema.safeParse({ type: 'http', uri: '/', ...options });
  // Of the alternatives, a kind that is built in and one from a module, the first is meant.
  const issues = (error?.issues ?? []).flatMap((one) =>
    one.code === 'invalid_union' ? (one.errors[0] ?? []) : [one],
  );
  return issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('options of the http check', () => {
  it.each(['HEAD', 'POST', 'OPTIONS'])('asks with %s', async (method) => {
    const seen: unknown[] = [];
    const server = await httpServer((request, response) => {
      seen.push([request.method, request.headers['content-length'], request.headers['transfer-encoding']]);
      response.writeHead(200, { 'content-length': 100_000 }).end('x'.repeat(100_000));
    });
    expect(await probe({ ...http, method }, server.port)).toEqual(passed);
    expect(seen).toEqual([[method, method === 'POST' ? '0' : undefined, undefined]]);
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });

  it('asks for host_header', async () => {
    const seen: unknown[] = [];
    const { port } = await httpServer((request, response) => {
      seen.push(request.headers.host);
      response.end();
    });
    expect(await probe({ ...http, host_header: 'web.internal:81' }, port)).toEqual(passed);
    expect(await probe(http, port)).toEqual(passed);
    expect(seen).toEqual(['web.internal:81', `127.0.0.1:${port}`]);
  });

  it.each([
    ['200-299', 204, true],
    ['200-299', 302, false],
    [[401, '500-503'], 401, true],
    [['401', '500-503'], 503, true],
    [[401, '500-503'], 200, false],
    [404, 404, true],
  ])('with expect_status %j judges %i as %j', async (expected, status, ok) => {
    const { port } = await httpServer((_, response) => response.writeHead(status).end());
    expect(await probe({ ...http, expect_status: expected }, port)).toEqual(
      ok ? passed : { ok: false, reason: `answered ${status}` },
    );
  });

  it('looks for the expected text whatever the status that passes', async () => {
    const { port } = await httpServer((_, response) => response.writeHead(503).end('in maintenance'));
    const options = { ...http, expect_status: 503 };
    expect(await probe({ ...options, expect: 'maintenance' }, port)).toEqual(passed);
    expect(await probe({ ...options, expect: 'ok' }, port)).toMatchObject({ ok: false });
  });

  it('tests a unix socket', async () => {
    const path = join(await configDir({}), 'web.sock');
    const server = await httpServer(
      (request, response) => response.writeHead(request.url === '/health' ? 200 : 500).end(),
      path,
    );
    expect(await probe({ ...http, unix_socket: path })).toEqual(passed);
    expect(checkOf({ ...http, unix_socket: path }).name).toBe(`http-${path}/health`);
    await vi.waitFor(() => expect(server.open.size).toBe(0));
    await server.close();
    expect(await probe({ ...http, unix_socket: path })).toMatchObject({ ok: false });
  });

  it('bounds a unix socket whose server says nothing', async () => {
    const path = join(await configDir({}), 'web.sock');
    const server = await httpServer(() => undefined, path);
    expect(await probe({ ...http, unix_socket: path, timeout: 0.1 })).toEqual({
      ok: false,
      reason: 'no answer within 0.1 s',
    });
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });

  it.each([
    [{ headers: { hOST: 'a' }, host_header: 'b' }, 'host_header: headers have a Host already'],
    [{ method: 'HEAD', expect: 'x' }, 'expect: HEAD has no body'],
    [{ unix_socket: '/a', host: 'b' }, 'host: unix_socket is tested instead'],
    [{ unix_socket: '/a', port: 80 }, 'port: unix_socket is tested instead'],
    [{ tls_verify: true }, 'tls_verify: needs ssl: true'],
    [{ ssl: true, tls_ca_file: '/ca.pem' }, 'tls_ca_file: needs tls_verify: true'],
    [{ tls_server_name: 'web' }, 'tls_server_name: needs ssl: true'],
  ])('refuses %j together', (options, message) => {
    expect(problems(options)).toEqual([message]);
  });

  it.each([
    { method: 'get' },
    { method: 'CONNECT' },
    { host_header: 'a b' },
    { host_header: 'a\r\nb: c' },
    { expect_status: [] },
    { expect_status: 99 },
    { expect_status: '101' },
    { expect_status: '299-200' },
    { expect_status: '2xx' },
    { unix_socket: 'relative' },
    { unix_socket: `/${'x'.repeat(107)}` },
    { ssl: true, tls_server_name: '10.0.0.5' },
    { ssl: true, tls_server_name: 'a b' },
    { ssl: true, tls_verify: true, tls_ca_file: 'ca.pem' },
  ])('refuses %j', (options) => {
    expect(problems(options)).toHaveLength(1);
  });

  it('takes off for no answer', () => {
    expect(problems({ tls_verify: false, tls_ca_file: null, unix_socket: null, host_header: null })).toEqual(
      [],
    );
  });
});
