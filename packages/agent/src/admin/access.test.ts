import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { systemClock } from '../clock.js';
import { createMetrics } from '../metrics.js';
import { RecordingLogger } from '../testing/index.js';
import { type AdminAddress, defineRoute } from './index.js';
import { AdminServer } from './server.js';
import type { AdminAccess } from './types.js';

const token = 'correct-horse-battery';
let dir: string;
let file: string;
let server: AdminServer | undefined;
let logger: RecordingLogger;
let taken: unknown[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'access-'));
  file = join(dir, 'token');
  logger = new RecordingLogger();
  taken = [];
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  await rm(dir, { recursive: true });
});

async function start(listen: AdminAddress, access: AdminAccess = {}): Promise<AdminAddress> {
  const fine = () => ({ ok: true });
  server = await AdminServer.listen({
    name: 'test',
    version: '1',
    listen: [listen],
    access,
    clock: systemClock,
    logger,
    metrics: createMetrics(),
    health: fine,
    ready: fine,
    status: () => 'all',
    routes: async () => [
      defineRoute({
        method: 'PUT',
        path: '/v1/services/:name/weight',
        summary: 'Set',
        params: { name: z.string() },
        query: { dry: z.array(z.string()).optional() },
        body: z.strictObject({ weight: z.int().min(0).max(256), by: z.string().optional() }),
        response: z.unknown(),
        handle: (input) => {
          taken.push(input);
          return { value: input };
        },
      }),
      defineRoute({
        method: 'POST',
        path: '/v1/drain',
        summary: 'Drain',
        body: z.strictObject({ reason: z.string().optional() }).optional(),
        response: z.unknown(),
        handle: ({ body }) => ({ value: { got: body ?? null } }),
      }),
    ],
  });
  return server.addresses[0]!;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Buffer;
}

async function ask(
  address: AdminAddress,
  path: string,
  { method = 'PUT', headers = {}, body = '' }: Asked = {},
) {
  const where =
    'socket' in address
      ? { socketPath: address.socket }
      : { port: address.port, host: address.host === '0.0.0.0' ? '127.0.0.1' : address.host };
  const sent = request({ ...where, path, method, headers, agent: false });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const answer = await text(response);
  const error = /"error": "(.*)"/.exec(answer)?.[1]?.replaceAll('\\"', '"');
  return { status: response.statusCode, headers: response.headers, answer, error };
}

const bearer = (value: string) => ({ authorization: `Bearer ${value}`, 'content-type': 'application/json' });
const loopback: AdminAddress = { host: '127.0.0.1', port: 0 };
const weight = '/v1/services/web/weight';
const body = '{"weight":5}';

describe('a change over TCP', () => {
  it('is refused where there is no token file, and hears how it would be allowed', async () => {
    const address = await start(loopback);
    const { status, error } = await ask(address, weight, { body, headers: bearer(token) });
    expect([status, error]).toEqual([
      403,
      'Changing something over TCP needs a token, and there is none: set admin.token_file, or use a unix socket (admin.listen)',
    ]);
    expect(taken).toEqual([]);
    expect((await ask(address, '/status', { method: 'GET' })).status).toBe(200);
  });

  it('is taken with the token that stands in the file now, line break or not', async () => {
    await writeFile(file, `${token}\r\n`);
    const address = await start(loopback, { tokenFile: file });
    expect((await ask(address, weight, { body, headers: bearer(token) })).status).toBe(200);
    await writeFile(file, 'another-one-altogether');
    expect((await ask(address, weight, { body, headers: bearer(token) })).status).toBe(401);
    expect((await ask(address, weight, { body, headers: bearer('another-one-altogether') })).status).toBe(
      200,
    );
    expect(taken).toHaveLength(2);
  });

  it.each([
    [{}, 'This needs the token: Authorization: Bearer TOKEN'],
    [{ authorization: token }, 'This needs the token: Authorization: Bearer TOKEN'],
    [{ authorization: `Basic ${token}` }, 'This needs the token: Authorization: Bearer TOKEN'],
    [{ authorization: 'Bearer ' }, 'This needs the token: Authorization: Bearer TOKEN'],
    [{ authorization: `Bearer ${token}x` }, 'The token is not the right one'],
    [{ authorization: `Bearer ${token.slice(0, -1)}` }, 'The token is not the right one'],
    [{ authorization: `Bearer ${'a'.repeat(7000)}` }, 'The token is not the right one'],
  ])('is refused with %j', async (headers: Record<string, string>, problem) => {
    await writeFile(file, token);
    const address = await start(loopback, { tokenFile: file });
    const answer = await ask(address, weight, { body, headers });
    expect(answer).toMatchObject({ status: 401, error: problem, headers: { 'www-authenticate': 'Bearer' } });
    expect(taken).toEqual([]);
    expect(JSON.stringify(logger.records)).not.toContain(token);
  });

  it('is refused when the token is sent twice, whichever is right', async () => {
    await writeFile(file, token);
    const address = await start(loopback, { tokenFile: file });
    if ('socket' in address) throw new Error('not a port');
    const socket = connect(address.port, address.host);
    const lines = ['wrong', token].map((one) => `authorization: Bearer ${one}\r\n`).join('');
    socket.write(
      `PUT ${weight} HTTP/1.1\r\nhost: localhost\r\n${lines}content-length: 0\r\nconnection: close\r\n\r\n`,
    );
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 [^]*authorization: sent more than once/);
  });

  it.each([
    ['is missing', () => Promise.resolve(), 'ENOENT'],
    ['is empty', () => writeFile(file, '\n'), 'it is empty'],
    ['has two lines', () => writeFile(file, `${token}\n${token}\n`), 'one line'],
    ['holds too short a token', () => writeFile(file, 'secret'), 'at least 16 characters'],
    [
      'is a folder',
      () => rm(file, { force: true }).then(() => void execFileSync('mkdir', [file])),
      'no plain file',
    ],
    ['is a pipe', () => Promise.resolve(void execFileSync('mkfifo', [file])), 'no plain file'],
    ['is huge', () => writeFile(file, 'x'.repeat(5000)), 'more than 4096 bytes'],
  ])(
    'is refused while the file %s, which is said once, and taken once that is mended',
    async (_, spoil, why) => {
      await spoil();
      const address = await start(loopback, { tokenFile: file });
      for (let round = 0; round < 2; round += 1) {
        const { status, error } = await ask(address, weight, { body, headers: bearer('secret') });
        expect(status).toBe(403);
        expect(error).toContain(why);
      }
      expect(logger.records).toMatchObject([{ level: 'warn', message: 'the token file cannot be used' }]);
      expect((await ask(address, '/healthz', { method: 'GET' })).status).toBe(200);
      await rm(file, { recursive: true, force: true });
      await writeFile(file, token);
      expect((await ask(address, weight, { body, headers: bearer(token) })).status).toBe(200);
    },
  );
});

describe('an address that other hosts reach', () => {
  it('tells nothing without the token but whether the agent is well, and its metrics', async () => {
    await writeFile(file, token);
    const address = await start({ host: '0.0.0.0', port: 0 }, { tokenFile: file });
    const get = async (path: string, headers = {}) =>
      (await ask(address, path, { method: 'GET', headers })).status;
    expect(await Promise.all(['/healthz', '/readyz', '/metrics'].map((path) => get(path)))).toEqual([
      200, 200, 200,
    ]);
    for (const path of ['/status', '/openapi.json', '/v1/services', '/nothing', '/metrics/'])
      expect(await get(path), path).toBe(401);
    expect((await ask(address, '/healthz', { method: 'POST' })).status).toBe(401);
    expect(await get('/status', bearer(token))).toBe(200);
  });

  it('says how it would be allowed where there is no token', async () => {
    const address = await start({ host: '0.0.0.0', port: 0 });
    const { status, error } = await ask(address, '/status', { method: 'GET' });
    expect([status, error]).toEqual([403, expect.stringContaining('admin.token_file')]);
  });
});

describe('a unix socket', () => {
  it('has the permissions and the group that were asked for, and lets them do everything', async () => {
    const socket = join(dir, 'a.sock');
    const address = await start(
      { socket },
      { socketMode: 0o600, socketGroup: execFileSync('id', ['-gn']).toString().trim() },
    );
    const { mode, gid } = await stat(socket);
    expect([mode & 0o777, gid]).toEqual([0o600, process.getgid?.()]);
    const answer = await ask(address, weight, { body, headers: { 'content-type': 'application/json' } });
    expect(answer.status).toBe(200);
  });

  it('is not served for a group that does not exist', async () => {
    const socket = join(dir, 'a.sock');
    await expect(start({ socket }, { socketGroup: 'no-such-group' })).rejects.toThrow(
      `Cannot listen on ${socket}: there is no group no-such-group`,
    );
    await expect(stat(socket)).rejects.toThrow('ENOENT');
  });
});

describe('a route', () => {
  const put = async (sent: string | Buffer, headers: Record<string, string> = {}, path = weight) => {
    const address = server?.addresses[0] ?? (await start({ socket: join(dir, 'a.sock') }));
    return ask(address, path, { body: sent, headers: { 'content-type': 'application/json', ...headers } });
  };

  it.each([
    ['{"weight":"5"}', 'weight: Invalid input: expected number, received string'],
    ['{"weight":5.5}', 'weight: Invalid input: expected int, received number'],
    ['{"weight":257}', 'weight: Too big: expected number to be <=256'],
    ['{"weight":1e999}', 'weight: Invalid input'],
    ['{}', 'weight: Required: expected number'],
    ['{"weight":5,"wieght":6}', 'wieght: Unknown key, did you mean "weight"?'],
    ['{"weight":5,"__proto__":{"by":"x"}}', '__proto__: Unknown key'],
    ['[]', 'body: Invalid input: expected object, received array'],
    ['null', 'body: Invalid input: expected object, received null'],
    ['', 'body: Required'],
    ['{"weight":', 'body: not JSON'],
    ['weight=5', 'body: not JSON'],
    ['['.repeat(30_000), 'body: not JSON'],
    [Buffer.from([0x22, 0xff, 0x22]), 'body: not UTF-8'],
    [`{"weight":5,"${'k'.repeat(3000)}":1}`, 'k'],
  ])('refuses %s and names the field', async (sent, problem) => {
    const { status, error } = await put(sent);
    expect(status).toBe(400);
    expect(error?.replace(/k{2,}/, 'k')).toContain(problem);
    expect(error?.length).toBeLessThan(1_001 + problem.length);
    expect(taken).toEqual([]);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-16', 'x'])(
    'refuses a body of type %s',
    async (type) => expect((await put(body, { 'content-type': type })).status).toBe(415),
  );

  it('takes the usual spellings of JSON, and a body that may be left out', async () => {
    expect((await put(body, { 'content-type': 'Application/JSON; charset=UTF-8' })).status).toBe(200);
    const address = server!.addresses[0]!;
    const drained = await ask(address, '/v1/drain', { method: 'POST' });
    expect(JSON.parse(drained.answer)).toEqual({ got: null });
  });

  it('refuses an unknown query, and hands on names as they were meant', async () => {
    expect((await put(body, {}, `${weight}?dyr=1`)).error).toBe('dyr: Unknown key, did you mean "dry"?');
    expect((await put(body, {}, `${weight}?__proto__=1`)).status).toBe(400);
    expect((await put(body, {}, '/v1/services/..%2f..%2fetc/weight')).status).toBe(200);
    expect(taken).toMatchObject([{ params: { name: '../../etc' } }]);
    expect((await put(body, {}, '/v1/services/../weight')).status).toBe(200);
    expect(taken[1]).toMatchObject({ params: { name: '..' } });
  });

  it('refuses a body that never ends while it goes on', async () => {
    expect((await put(body)).status).toBe(200);
    const { socket } = server!.addresses[0] as { socket: string };
    const sent = request({ socketPath: socket, method: 'PUT', path: weight });
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    // In chunks, without a length, and without an end.
    const more = (): void => {
      if (!sent.destroyed) sent.write('x'.repeat(8192), more);
    };
    sent.on('error', () => undefined);
    more();
    const [response] = await answered;
    sent.destroy();
    expect(response.statusCode).toBe(413);
  });
});
