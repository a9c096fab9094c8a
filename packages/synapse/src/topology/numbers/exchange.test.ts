import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createRawServer,
  type Server as RawServer,
} from 'node:net';
import type { Clock, Secret } from '@smartstack/agent';
import { systemClock } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeNumbers, type HostNumbers, maxAnswerBytes } from './answer.js';
import { askNumbers } from './asker.js';
import { authorizationOf, newChallenge, numbersPath, presentedIn, proofOfAnswer } from './proof.js';
import { NumbersServer } from './server.js';
import { type Target, targetText } from './target.js';

const key = 'k'.repeat(32);
const numbers: HostNumbers = {
  instanceId: 'vm-1',
  edges: [{ source: 'web', destination: 'orders', identity: 'unit' }],
  services: new Map([
    ['orders', { service: 'orders', seconds: 60, requests: 10, success: 9, failure: 1, latencies: null }],
  ]),
  isCut: false,
};

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean();
});

const { signal } = new AbortController();
/** Nobody is given up because this machine is busy. */
const patient: Clock = {
  ...systemClock,
  setTimeout: (callback, ms) => systemClock.setTimeout(callback, 10 * ms),
};
const ask = (target: Target, withKey = key, clock: Clock = patient) =>
  askNumbers(target, withKey, { clock, signal });

async function portOf(server: Server | RawServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Another server than ours. */
async function stranger(listener: RequestListener): Promise<Target> {
  return { host: '127.0.0.1', port: await portOf(createServer(listener)) };
}

interface Given {
  readonly key?: () => Promise<Secret>;
  readonly mayAsk?: (address: string) => boolean;
  readonly clock?: Clock;
}

async function serve({ key: secret, mayAsk = () => true, clock = systemClock }: Given = {}) {
  const probe = createRawServer();
  const port = await portOf(probe);
  probe.close();
  const target = { host: '127.0.0.1', port };
  const state = { made: 0 };
  const logger = new RecordingLogger();
  const server = new NumbersServer({
    ...{ listen: target, mayAsk, clock, logger },
    key: secret ?? (() => Promise.resolve({ secret: key })),
    numbers: () => {
      state.made += 1;
      return numbers;
    },
  });
  const stop = new AbortController();
  const running = server.run(stop.signal);
  const end = async () => {
    stop.abort();
    await running;
  };
  cleanups.push(end);
  await expect.poll(() => server.target).toBe(targetText(target));
  return { target, state, server, logger, end };
}

async function get(target: Target, given: RequestInit & { path?: string } = {}): Promise<number> {
  const { path = numbersPath, ...init } = given;
  return (await fetch(`http://${targetText(target)}${path}`, init)).status;
}

const proven = (target: Target, withKey = key, at = systemClock.now()) => ({
  authorization: authorizationOf(withKey, newChallenge(targetText(target), at)),
});

describe('a host that serves its numbers', () => {
  it('tells them to who has the key, and makes them once a second at most', async () => {
    const { target, state, server, end } = await serve();
    const heard = await Promise.all(Array.from({ length: 5 }, () => ask(target)));
    for (const { numbers: told } of heard) expect(told).toEqual(numbers);
    expect(state.made).toBe(1);
    await end();
    expect(server.target).toBeUndefined();
    await expect(ask(target)).rejects.toThrow('nobody listens there');
  });

  it('tells nobody else anything, and has nothing else to tell', async () => {
    const { target, state } = await serve();
    await expect(ask(target, 'l'.repeat(32))).rejects.toThrow('it refuses us: it has another key');
    expect(await get(target)).toBe(401);
    expect(await get(target, { headers: { authorization: `Bearer ${key}` } })).toBe(401);
    const header = proven(target);
    for (const path of [
      '/',
      '/metrics',
      '/status',
      '/v1/topology',
      '/v1/numbers?x',
      '/v1/numbers/',
      '/v1/../v1/numbersx',
    ])
      expect([path, await get(target, { path, headers: header })]).toEqual([path, 404]);
    for (const method of ['POST', 'PUT', 'DELETE', 'HEAD'])
      expect([method, await get(target, { method, headers: header })]).toEqual([method, 405]);
    expect(state.made).toBe(0);
    expect(await get(target, { headers: header })).toBe(200);
  });

  it('takes a proof once, in its time, and for itself', async () => {
    const { target } = await serve();
    const header = proven(target);
    expect([await get(target, { headers: header }), await get(target, { headers: header })]).toEqual([
      200, 401,
    ]);
    expect(await get(target, { headers: proven({ ...target, port: target.port + 1 }) })).toBe(401);
    for (const apart of [-45_000, 45_000])
      expect(await get(target, { headers: proven(target, key, systemClock.now() + apart) })).toBe(401);
    for (const apart of [-15_000, 15_000])
      expect(await get(target, { headers: proven(target, key, systemClock.now() + apart) })).toBe(200);
    const late = new FakeClock(systemClock.now() - 90_000);
    await expect(ask(target, key, late)).rejects.toThrow(/its clock and ours are (89|9\d) s apart/);
  });

  it('serves nobody without a key of its own, nor who is in no network of ours', async () => {
    const without = await serve({ key: () => Promise.resolve({ problem: 'ENOENT' }) });
    await expect(ask(without.target)).rejects.toThrow('it answers 503');
    const closed = await serve({ mayAsk: () => false });
    await expect(ask(closed.target)).rejects.toThrow('it closed the connection');
    expect([without.state.made, closed.state.made]).toEqual([0, 0]);
  });

  it('lets go of who says nothing, and answers others meanwhile', async () => {
    const { target } = await serve();
    const idle = Array.from({ length: 20 }, () => connect(target.port, target.host));
    const closed = idle.map((socket) => once(socket.resume(), 'close'));
    for (const socket of idle) socket.on('error', () => undefined).write('GET /v1/num');
    expect((await ask(target)).numbers.instanceId).toBe('vm-1');
    await Promise.all(closed);
  });

  it('tries again to listen where another one does', async () => {
    const clock = new FakeClock();
    const other = createRawServer();
    const port = await portOf(other);
    const logger = new RecordingLogger();
    const server = new NumbersServer({
      ...{ listen: { host: '127.0.0.1', port }, mayAsk: () => true, clock, logger, numbers: () => numbers },
      key: () => Promise.resolve({ secret: key }),
    });
    const stop = new AbortController();
    const running = server.run(stop.signal);
    await expect.poll(() => clock.pending).toBe(1);
    expect([server.target, logger.records[0]?.message]).toEqual([
      undefined,
      'numbers cannot be served to other hosts',
    ]);
    other.close();
    await clock.advance(5_000);
    await expect.poll(() => server.target).toBe(`127.0.0.1:${port}`);
    stop.abort();
    await running;
  });
});

/** Answers as one who has the key does, whatever the body. */
const proving =
  (body: Buffer, withKey = key): RequestListener =>
  (request, response) => {
    const target = request.headers.host ?? '';
    const presented = presentedIn(request.headers.authorization, target)!;
    response.writeHead(200, { 'x-smartstack-proof': proofOfAnswer(withKey, presented, body) });
    response.end(body);
  };

describe('a host that is asked', () => {
  it.each<[string, RequestListener, RegExp]>([
    ['says nothing that is proven', (_, response) => response.end('{}'), /not proven/],
    ['proves it with another key', proving(encodeNumbers(numbers), 'l'.repeat(32)), /not proven/],
    ['proves nonsense', proving(Buffer.from('[')), /makes no sense/],
    ['proves another version', proving(Buffer.from('{"v":2}')), /newer version/],
    ['proves too much', proving(Buffer.alloc(maxAnswerBytes + 1, 32)), /it answers too much/],
    [
      'sends without an end',
      (_, response) => {
        const more = (): void => {
          while (response.write(Buffer.alloc(65_536, 32)));
          response.once('drain', more);
        };
        more();
      },
      /it answers too much/,
    ],
    ['sends elsewhere', (_, response) => response.writeHead(302, { location: '/x' }).end(), /it answers 302/],
    ['has no time', (_, response) => response.writeHead(429).end(), /it answers 429/],
    ['hangs up', (request) => request.socket.destroy(), /it closed the connection/],
    [
      'breaks off',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1_000 });
        response.write('x', () => response.destroy());
      },
      /closed the connection|aborted/,
    ],
    ['has endless headers', (_, response) => response.setHeader('x', 'y'.repeat(20_000)).end(), /no HTTP/],
  ])('and %s, tells nothing', async (_, listener, problem) => {
    const asked: string[] = [];
    const target = await stranger((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      listener(request, response);
    });
    await expect(ask(target)).rejects.toThrow(problem);
    // It goes nowhere else, and never again by itself.
    expect(asked).toEqual(['GET /v1/numbers']);
  });

  it('and is no web server, tells nothing', async () => {
    const raw = createRawServer((socket) => {
      socket.on('error', () => undefined).end('-ERR unknown command\r\n');
    });
    await expect(ask({ host: '127.0.0.1', port: await portOf(raw) })).rejects.toThrow('it speaks no HTTP');
  });

  it('and hangs, is waited for two seconds, whatever it drips', async () => {
    const clock = new FakeClock(systemClock.now());
    const [silent, dripping] = [
      await stranger(() => undefined),
      await stranger((_, response) => {
        response.writeHead(200).write(' ');
        const timer = setInterval(() => response.write(' '), 20);
        response.once('close', () => clearInterval(timer));
      }),
    ];
    const answers = [silent, dripping].map((target) =>
      ask(target, key, clock).then(
        () => 'answered',
        (error: unknown) => String(error),
      ),
    );
    await expect.poll(() => clock.pending).toBe(2);
    await clock.advance(2_000);
    for (const answer of await Promise.all(answers)) expect(answer).toContain('no answer within 2 s');
    expect(clock.pending).toBe(0);
  });

  it('may say what an earlier one said: that is no answer to us', async () => {
    const honest = await serve();
    const challenge = newChallenge(targetText(honest.target), systemClock.now());
    const answer = await fetch(`http://${targetText(honest.target)}${numbersPath}`, {
      headers: { authorization: authorizationOf(key, challenge) },
    });
    const [body, proof] = [
      Buffer.from(await answer.arrayBuffer()),
      answer.headers.get('x-smartstack-proof')!,
    ];
    const target = await stranger((_, response) => response.setHeader('x-smartstack-proof', proof).end(body));
    await expect(ask(target)).rejects.toThrow('not proven');
  });

  it('may hand our question on: nobody else takes it', async () => {
    const honest = await serve();
    const statuses: number[] = [];
    const target = await stranger((request, response) => {
      const { authorization = '' } = request.headers;
      fetch(`http://${targetText(honest.target)}${numbersPath}`, { headers: { authorization } }).then(
        (answer) => {
          statuses.push(answer.status);
          response.end();
        },
        () => response.destroy(),
      );
    });
    await expect(ask(target)).rejects.toThrow('not proven');
    expect(statuses).toEqual([401]);
  });
});
