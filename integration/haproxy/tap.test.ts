import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TapRequest } from '../../packages/synapse/src/tap/shapes.ts';
import type { Tap, TapListener } from '../../packages/synapse/src/tap/types.ts';
import { eventually } from '../harness/eventually.ts';
import { askSocket, type Haproxy, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { type GeneratorBed, instanceOf, type Services, startGenerator, topLevel } from './bed.ts';

const patience = { timeoutMs: 20_000, intervalMs: 20 };

/** Sends bytes as they are, and waits until HAProxy has answered and hung up. */
function sendRaw(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      answer += chunk;
      socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

/** Collects what a tap hears. */
class Listener implements TapListener {
  readonly requests: TapRequest[] = [];
  readonly states: string[] = [];
  losses = 0;
  request(request: TapRequest): void {
    this.requests.push(request);
  }
  lost(count: number): void {
    this.losses += count;
  }
  attached(isAttached: boolean, reason?: string): void {
    const state = isAttached ? 'attached' : (reason ?? 'not attached');
    if (this.states.at(-1) !== state) this.states.push(state);
  }
  turn(): void {
    // Nothing is written.
  }
  get isAttached(): boolean {
    return this.states.at(-1) === 'attached';
  }
}

describe('requests, looked at while they pass', () => {
  let dir: string;
  let haproxy: Haproxy;
  let upstreams: Upstream[];
  let bed: GeneratorBed;
  let ports: { web: number; api: number };
  let taps: Tap[];

  beforeEach(async () => {
    dir = makeTempDir('tap');
    ports = { web: await freePort(), api: await freePort() };
    upstreams = [await startHttpUpstream({ identity: 'u1', host: '127.0.7.1' })];
    const { global, defaults } = testBase(dir);
    haproxy = await startHaproxy({
      dir,
      config: [
        'global',
        ...global,
        'defaults',
        ...defaults,
        'listen idle',
        `bind 127.0.0.1:${await freePort()}`,
        '',
      ].join('\n'),
    });
    bed = startGenerator(topLevel(dir), { watchMs: 100 }, undefined, {
      latencies: true,
      stickCounter: 2,
      tap: true,
    });
    taps = [];
  });
  afterEach(async () => {
    for (const tap of taps) tap.close();
    await bed.stop();
    await haproxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
    removeTempDir(dir);
  });

  const services = (web: object = {}): Services => {
    const instances = upstreams.map((upstream) => instanceOf(upstream));
    return {
      web: { instances, haproxy: { port: ports.web, ...web } },
      api: { instances, haproxy: { port: ports.api } },
    };
  };
  const ring = async (): Promise<readonly string[]> =>
    (await askSocket(haproxy.adminSocket, 'show events synapse-tap'))
      .split('\n')
      .filter((line) => line.startsWith('tap1'));

  async function open(names: readonly string[], permille = 1000): Promise<Listener> {
    const listener = new Listener();
    taps.push(bed.generator.tap!.open(names, permille, listener));
    await eventually(() => listener.isAttached, { what: 'the tap is attached', ...patience });
    return listener;
  }

  it('are told of with what they were, and of nobody while nobody looks', async () => {
    expect(await bed.settle(services())).toContain('reload');
    expect(bed.status().quarantined).toEqual([]);
    expect(bed.generator.tap!.services()).toEqual([{ service: 'web' }, { service: 'api' }]);
    for (let n = 0; n < 20; n += 1) await get({ port: ports.web, path: '/quiet' });
    expect(await ring()).toEqual([]);
    const listener = await open(['web']);
    await get({ port: ports.web, path: '/a/b?secret=1' });
    await get({ port: ports.api, path: '/other' });
    await eventually(() => listener.requests.length >= 1, { what: 'the request is told', ...patience });
    console.log(listener.requests, listener.states, await ring(), sendRaw.length);
  });
});
