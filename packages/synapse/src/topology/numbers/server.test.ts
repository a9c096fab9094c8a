import { once } from 'node:events';
import { connect, createServer as createRawServer } from 'node:net';
import { systemClock } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { ask, endServersAfterEach, having, key, numbers, portOf, serve } from '../../testing/numbersBed.js';
import { authorizationOf, newChallenge, numbersPath } from './proof.js';
import { NumbersServer } from './server.js';
import { type Target, targetText } from './target.js';

const newKey = 'n'.repeat(32);
endServersAfterEach();

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
    expect(state.results.slice(0, 3)).toEqual(['wrong-key', 'no-proof', 'no-proof']);
    expect(new Set(state.results.slice(3, -1))).toEqual(new Set(['other']));
    expect(state.results.at(-1)).toBe('answered');
  });

  it('has its key exchanged without a moment in which one refuses another', async () => {
    let serverHas = having(key);
    const { target } = await serve({ keys: () => Promise.resolve(serverHas) });
    // One is always a step ahead of the other, and who asks makes its proof with the first of those it has.
    const steps = [having(key), having(key, newKey), having(newKey, key), having(newKey)];
    for (const [step, keys] of steps.entries())
      for (const others of steps.slice(Math.max(0, step - 1), step + 2)) {
        serverHas = keys;
        const [first] = 'secrets' in others ? others.secrets : [''];
        expect((await ask(target, first)).numbers, `${step}: ${first}`).toEqual(numbers);
      }
    // Who skipped a step is refused, and so is who has the old one at the end.
    await expect(ask(target, key)).rejects.toThrow('it refuses us: it has another key');
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
    const without = await serve({ keys: () => Promise.resolve({ problem: 'ENOENT' }) });
    await expect(ask(without.target)).rejects.toThrow('it answers 503');
    const closed = await serve({ mayAsk: () => false });
    await expect(ask(closed.target)).rejects.toThrow('it closed the connection');
    expect([without.state.made, closed.state.made]).toEqual([0, 0]);
    expect([without.state.results, closed.state.results]).toEqual([['no-key'], ['stranger']]);
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
      ...{ keys: () => Promise.resolve(having(key)), onAnswer: () => undefined },
    });
    const stop = new AbortController();
    const running = server.run(stop.signal);
    await expect.poll(() => clock.pending).toBe(1);
    expect([server.target, logger.records[0]?.message]).toEqual([
      undefined,
      'numbers cannot be served to other hosts',
    ]);
    expect(server.problem).toContain('EADDRINUSE');
    other.close();
    await clock.advance(5_000);
    await expect.poll(() => server.target).toBe(`127.0.0.1:${port}`);
    expect(server.problem).toBeUndefined();
    stop.abort();
    await running;
  });
});
