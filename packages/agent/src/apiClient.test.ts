import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AdminAddress } from './admin/types.js';
import { ApiClient, ApiError } from './apiClient.js';
import { systemClock } from './clock.js';
import { FakeClock } from './testing/index.js';

async function listen(server: Server, path?: string): Promise<AdminAddress> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
  });
  server.listen(path ?? { port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return path === undefined
    ? { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
    : { socket: path };
}

const http = (answer: RequestListener, path?: string) => listen(createHttpServer(answer), path);
/** Answers anything with these bytes; `end`: and closes. */
const raw = (bytes: string, end = true) =>
  listen(
    createServer((socket) => {
      socket.once('data', () => (end ? socket.end(bytes) : socket.write(bytes)));
    }),
  );

function client(addresses: readonly AdminAddress[], more: { token?: string; timeoutMs?: number } = {}) {
  return new ApiClient({ addresses, clock: systemClock, timeoutMs: 10_000, ...more });
}

/** Why a call fails. */
async function failure(call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

const head = 'HTTP/1.1 200 OK\r\n';

describe('ApiClient', () => {
  it('sends what is asked, and returns what is answered', async () => {
    const seen: [IncomingMessage, string][] = [];
    const address = await http((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.once('end', () => {
        seen.push([request, body]);
        response.writeHead(201).end('{"done": "ä"}');
      });
    });
    const one = client([address], { token: 'secret' });
    expect(await one.call('POST', '/v1/drain', { reason: 'ä\n' })).toEqual({ done: 'ä' });
    expect(await one.call('GET', '/v1/services')).toEqual({ done: 'ä' });
    const [[posted, body] = [], [got] = []] = seen;
    expect([posted?.method, posted?.url, body]).toEqual(['POST', '/v1/drain', '{"reason":"ä\\n"}']);
    expect(posted?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': '17',
      authorization: 'Bearer secret',
    });
    expect([got?.method, got?.headers['content-type']]).toEqual(['GET', undefined]);
  });

  it('tells a refusal with its status, and how to be let in', async () => {
    let answer: [number, string] = [404, '{"error": "no service wbe"}'];
    const address = await http((_, response) => response.writeHead(answer[0]).end(answer[1]));
    const refusal = async (status: number, body: string) => {
      answer = [status, body];
      return await failure(client([address]).call('GET', '/'));
    };
    expect(await refusal(404, '{"error": "no service wbe"}')).toMatchObject({
      ...{ code: 'refused', status: 404, message: 'no service wbe', retriable: false },
    });
    expect((await refusal(401, '{"error": "who are you"}')).message).toContain('--token-file');
    expect((await refusal(403, '{"error": "this needs a token"}')).message).toContain('--token-file');
    expect((await refusal(403, '{"error": "not from there"}')).message).toBe('not from there');
    for (const body of ['{}', 'null', '[]', '"no"', '{"error": {"deep": 1}}'])
      expect((await refusal(500, body)).message).toBe('it answers 500');
    expect((await refusal(302, '{}')).message).toBe('it answers 302');
    expect((await refusal(500, JSON.stringify({ error: 'x'.repeat(100_000) }))).message.length).toBeLessThan(
      2_000,
    );
  });

  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['binary', '\0\x01\x02\xff'.repeat(1000)],
    ['endless headers', `${head}x: ${'y'.repeat(100_000)}\r\n\r\n`],
    ['two lengths', `${head}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`],
    ['a broken chunk', `${head}transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n`],
    ['HTML', `${head}content-length: 6\r\n\r\n<html>`],
    ['nothing', `${head}content-length: 0\r\n\r\n`],
    ['half of a value', `${head}content-length: 5\r\n\r\n{"a":`],
  ])('knows that whoever answers %s is no agent', async (_, bytes) => {
    const error = await failure(client([await raw(bytes)]).call('GET', '/'));
    expect(error).toMatchObject({ code: 'not_an_agent', retriable: false });
    expect(error.message).toMatch(/^127\.0\.0\.1:\d+ .*is it the agent's API\?$/);
  });

  it.each([
    ['closes without a word', ''],
    ['closes in the middle of the head', 'HTTP/1.1 200'],
    ['closes in the middle of the body', `${head}content-length: 100\r\n\r\n{}`],
    ['closes in the middle of a chunk', `${head}transfer-encoding: chunked\r\n\r\n40\r\n{`],
    [
      'wants to speak something else',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
    ],
  ])('may try again whoever %s', async (_, bytes) => {
    expect(await failure(client([await raw(bytes)]).call('GET', '/'))).toMatchObject({
      code: 'unreachable',
      retriable: true,
      message: expect.stringMatching(/^the agent does not answer \(127\.0\.0\.1:\d+: ./) as string,
    });
  });

  it.each([
    ['never answers', () => raw('', false)],
    ['stops in the middle of the head', () => raw('HTTP/1.1 200 OK\r\nx: ', false)],
    ['stops in the middle of the body', () => raw(`${head}content-length: 9\r\n\r\n{`, false)],
    ['tells that it goes on, and on', () => raw('HTTP/1.1 100 Continue\r\n\r\n'.repeat(50), false)],
  ])('waits its time for whoever %s, and no longer', async (_, start) => {
    const clock = new FakeClock();
    const address = await start();
    const call = failure(new ApiClient({ addresses: [address], clock, timeoutMs: 5_000 }).call('GET', '/'));
    let settled = false;
    call.then(
      () => (settled = true),
      () => undefined,
    );
    await clock.advance(4_999);
    expect(settled).toBe(false);
    await clock.advance(1);
    expect(await call).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('no answer within 5 s') as string,
    });
    expect(clock.pending).toBe(0);
  });

  it('waits no longer for one who sends something all the time', async () => {
    const address = await http((_, response) => {
      const timer = setInterval(() => response.write(' '), 20);
      response.once('close', () => clearInterval(timer));
    });
    const call = client([address], { timeoutMs: 300 }).call('GET', '/');
    expect((await failure(call)).message).toContain('no answer within 0.3 s');
  });

  it('reads no more than 64 MiB', async () => {
    let sent = 0;
    const address = await http((_, response) => {
      const chunk = Buffer.alloc(1024 * 1024, ' ');
      const more = (): void => {
        sent += 1;
        if (!response.destroyed && sent < 1000) response.write(chunk, more);
      };
      more();
    });
    expect(await failure(client([address]).call('GET', '/'))).toMatchObject({
      code: 'not_an_agent',
      message: expect.stringContaining('it answers too much') as string,
    });
    expect(sent).toBeLessThan(200);
  });

  it('asks the next address only where nothing can have been done at the one before', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'api-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const socket = join(folder, 'a.sock');
    let asked = 0;
    const good = await http((_, response) => {
      asked += 1;
      response.end('1');
    });
    expect(await client([{ socket }, good]).call('GET', '/')).toBe(1);
    await http((_, response) => response.end('2'), socket);
    expect(await client([{ socket }, good]).call('GET', '/')).toBe(2);
    asked = 0;
    expect(await failure(client([await raw(''), good]).call('POST', '/'))).toMatchObject({
      code: 'unreachable',
    });
    expect(asked).toBe(0);
  });

  it('names all addresses at which nobody listens', async () => {
    const gone = createServer();
    const address = await listen(gone);
    gone.close();
    await once(gone, 'close');
    const { message } = await failure(client([{ socket: '/no/such.sock' }, address]).call('GET', '/'));
    expect(message).toMatch(/\(\/no\/such\.sock: .*ENOENT.*; 127\.0\.0\.1:\d+: .*ECONNREFUSED.*\)$/);
  });
});
