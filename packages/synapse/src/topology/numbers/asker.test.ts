import { createServer as createRawServer } from 'node:net';
import type { RequestListener } from 'node:http';
import { systemClock } from '@smartstack/agent';
import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { ask, endServersAfterEach, key, numbers, portOf, serve, stranger } from '../../testing/numbersBed.js';
import { encodeNumbers, maxAnswerBytes } from './answer.js';
import { authorizationOf, newChallenge, numbersPath, presentedIn, proofOfAnswer } from './proof.js';
import { targetText } from './target.js';

endServersAfterEach();

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
  it.each<[string, RequestListener, RegExp, string?]>([
    ['says nothing that is proven', (_, response) => response.end('{}'), /not proven/, 'unproven'],
    ['proves it with another key', proving(encodeNumbers(numbers), 'l'.repeat(32)), /not proven/, 'unproven'],
    ['proves nonsense', proving(Buffer.from('[')), /makes no sense/, 'unusable'],
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
    ['has no time', (_, response) => response.writeHead(429).end(), /it answers 429/, 'refused'],
    ['hangs up', (request) => request.socket.destroy(), /it closed the connection/, 'unreachable'],
    [
      'breaks off',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1_000 });
        response.write('x', () => response.destroy());
      },
      /closed the connection|aborted/,
    ],
    ['has endless headers', (_, response) => response.setHeader('x', 'y'.repeat(20_000)).end(), /no HTTP/],
  ])('and %s, tells nothing', async (_, listener, problem, result) => {
    const asked: string[] = [];
    const target = await stranger((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      listener(request, response);
    });
    const failure = await ask(target).catch((error: unknown) => error);
    expect(String(failure)).toMatch(problem);
    if (result !== undefined) expect(failure).toMatchObject({ result });
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
