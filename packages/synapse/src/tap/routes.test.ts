import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type AdminAddress, createMetrics, serveAdmin, systemClock } from '@smartstack/agent';
import { RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tapRoutes } from './routes.js';
import type { TapSource } from './types.js';

const token = 'a-token-of-enough-length';
const readers = 16;
const patience = { timeout: 10_000, interval: 5 };

let dir: string;
let stop: AbortController;
let serving: Promise<void>;
let open: number;
let asked: ClientRequest[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tap-routes-'));
  stop = new AbortController();
  serving = Promise.resolve();
  open = 0;
  asked = [];
});
afterEach(async () => {
  for (const each of asked) each.destroy();
  stop.abort();
  await serving;
  await rm(dir, { recursive: true });
});

const source: TapSource = {
  services: () => [{ service: 'web' }, { service: 'db', reason: 'it is in mode tcp' }],
  dropped: () => undefined,
  open: () => {
    open += 1;
    return { permille: 1000, lines: 0, want: () => undefined, close: () => void (open -= 1) };
  },
};

/** The real admin server, on a port of loopback and on a socket. */
async function start(
  needsToken: boolean,
  tokenFile?: string,
): Promise<{ readonly tcp: AdminAddress; readonly socket: AdminAddress }> {
  const socket = { socket: join(dir, 'api.sock') };
  const listening = new Promise<readonly AdminAddress[]>((onListening) => {
    serving = serveAdmin(
      {
        ...{ name: 'synapse', version: 'test', listen: [{ host: '127.0.0.1', port: 0 }, socket] },
        ...{ clock: systemClock, logger: new RecordingLogger(), metrics: createMetrics() },
        ...{ health: () => ({ ok: true }), ready: () => ({ ok: true }), status: () => ({}) },
        ...(tokenFile !== undefined && { access: { tokenFile } }),
        routes: () => Promise.resolve(tapRoutes({ tap: () => source, clock: systemClock, needsToken })),
        onListening,
      },
      stop.signal,
    );
  });
  const [tcp] = await listening;
  return { tcp: tcp!, socket };
}

/** Asks, and resolves with the head of the answer. */
async function ask(
  address: AdminAddress,
  { method = 'GET', path = '/v1/tap', authorization = '' } = {},
): Promise<IncomingMessage> {
  const where = 'socket' in address ? { socketPath: address.socket } : address;
  const headers = { ...(authorization !== '' && { authorization }) };
  const sent = request({ ...where, method, path, headers, agent: false });
  asked.push(sent);
  sent.on('error', () => undefined);
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.on('error', () => undefined);
  return response;
}

const bearer = (word: string): { authorization: string } => ({ authorization: `Bearer ${word}` });
const errorOf = async (response: IncomingMessage): Promise<string> =>
  (JSON.parse(await text(response)) as { error: string }).error;
const areOpen = (count: number) => expect.poll(() => open, patience).toBe(count);

describe('a tap that takes the token', () => {
  it('is opened over TCP for whoever has it, and for nobody else', async () => {
    const file = join(dir, 'token');
    await writeFile(file, token);
    const { tcp } = await start(true, file);
    for (const wrong of [{}, bearer(`${token}x`), { authorization: token }]) {
      const refused = await ask(tcp, wrong);
      expect(refused.statusCode).toBe(401);
      expect(refused.headers['www-authenticate']).toBe('Bearer');
      expect(await errorOf(refused)).toMatch(/token/);
    }
    // What is wrong with a question is told to nobody who may not ask.
    expect((await ask(tcp, { path: '/v1/tap?service=nobody' })).statusCode).toBe(401);
    expect(open).toBe(0);
    const answer = await ask(tcp, bearer(token));
    expect(answer.statusCode).toBe(200);
    const [first] = (await once(answer, 'data')) as [Buffer];
    expect(JSON.parse(first.toString().split('\n')[0] ?? '')).toMatchObject({ type: 'start' });
    await areOpen(1);
    // Which services there are is no secret.
    expect((await ask(tcp, { path: '/v1/tap/services' })).statusCode).toBe(200);
  });

  it('says how it would be allowed where there is no token, and a unix socket takes none', async () => {
    const { tcp, socket } = await start(true);
    const refused = await ask(tcp, bearer(token));
    expect(refused.statusCode).toBe(403);
    expect(await errorOf(refused)).toMatch(/^Reading this over TCP needs a token.*admin\.token_file/);
    expect(open).toBe(0);
    expect((await ask(socket)).statusCode).toBe(200);
    await areOpen(1);
  });

  it('is open to whoever is on this host unless it is asked for', async () => {
    const { tcp } = await start(false);
    expect((await ask(tcp)).statusCode).toBe(200);
    await areOpen(1);
  });
});

describe('readers of taps', () => {
  it('are so many and no more, however many come at once, and who leaves makes room', async () => {
    const file = join(dir, 'token');
    await writeFile(file, token);
    // With a token: all who come at once wait for the same reading of its file, and go on together.
    const { tcp } = await start(true, file);
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(tcp, bearer(token))));
    const taken = answers.filter(({ statusCode }) => statusCode === 200);
    const refused = answers.filter(({ statusCode }) => statusCode === 429);
    expect([taken.length, refused.length]).toEqual([readers, 60 - readers]);
    for (const each of refused) expect(await errorOf(each)).toBe('there are 16 readers of taps already');
    await areOpen(readers);
    taken[0]?.destroy();
    await areOpen(readers - 1);
    await expect.poll(async () => (await ask(tcp, bearer(token))).statusCode, patience).toBe(200);
    await areOpen(readers);
    expect((await ask(tcp, bearer(token))).statusCode).toBe(429);
  });

  it('are none who only ask for the head, or for what cannot be tapped', async () => {
    const { tcp } = await start(false);
    for (let n = 0; n < 2 * readers; n += 1) {
      expect((await ask(tcp, { method: 'HEAD' })).statusCode).toBe(200);
      expect((await ask(tcp, { path: '/v1/tap?service=db' })).statusCode).toBe(409);
    }
    expect(open).toBe(0);
    expect((await ask(tcp)).statusCode).toBe(200);
    await areOpen(1);
  });

  it('are forgotten when their time is over', async () => {
    const { tcp } = await start(false);
    const all = await Promise.all(
      Array.from({ length: readers }, () => ask(tcp, { path: '/v1/tap?for=0.001' })),
    );
    for (const each of all) expect(await text(each)).toContain('"reason":"duration"');
    await areOpen(0);
    await expect.poll(async () => (await ask(tcp)).statusCode, patience).toBe(200);
  });
});
