import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openConnections } from './etcd/exchange.js';
import { joined, type Resolve } from './nameLookups.js';

/** A resolver that hangs until it is let go. */
function hanging() {
  const asked: string[] = [];
  let letGo: (answer: readonly string[] | Error) => void = () => undefined;
  const resolve: Resolve = (host) =>
    new Promise((done, failed) => {
      asked.push(host);
      letGo = (answer) => (answer instanceof Error ? failed(answer) : done(answer));
    });
  return { asked, resolve: joined(resolve), letGo: (answer: readonly string[] | Error) => letGo(answer) };
}

describe('joined', () => {
  it('asks once for a name while that hangs, whoever asks, and again when it was answered', async () => {
    const { asked, resolve, letGo } = hanging();
    const answers = Array.from({ length: 100 }, () => resolve('a'));
    expect(asked).toEqual(['a']);
    letGo(['1.1.1.1']);
    expect((await Promise.all(answers)).flat()).toHaveLength(100);
    const failed = resolve('a');
    letGo(new Error('SERVFAIL'));
    await expect(failed).rejects.toThrow('SERVFAIL');
    const last = resolve('a');
    letGo([]);
    expect([await last, asked.length]).toEqual([[], 3]);
  });
});

describe('connections to etcd', () => {
  it('get the answer of a resolver that is slower than their patience', async () => {
    const server = createServer((_request, response) => response.end('{"fine":true}'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const { asked, resolve, letGo } = hanging();
    const connections = await openConnections(undefined, resolve);
    onTestFinished(() => connections.end());
    const post = (signal: AbortSignal): Promise<unknown> =>
      connections.post(`etcd.example:${port}`, '/', {}, undefined, signal);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const impatient = new AbortController();
      const answer = post(impatient.signal);
      await expect.poll(() => asked.length).toBeGreaterThan(0);
      impatient.abort();
      await expect(answer).rejects.toThrow();
    }
    const answer = post(AbortSignal.timeout(5_000));
    letGo(['127.0.0.1']);
    expect([await answer, asked]).toEqual([{ fine: true }, ['etcd.example']]);
  });
});
