import { connect, type Socket } from 'node:net';
import { readFile } from 'node:fs/promises';
import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { serveAdmin, createMetrics, systemClock } from '@smartstack/agent';
import { ApiClient } from '@smartstack/agent/apiClient';
import { RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tapRoutes } from '../../packages/synapse/src/tap/routes.ts';
import type { TapEvent } from '../../packages/synapse/src/tap/shapes.ts';
import type { Tap } from '../../packages/synapse/src/tap/types.ts';
import { eventually } from '../harness/eventually.ts';
import { type Haproxy, haproxyPaths, startHaproxy, testBase } from '../harness/haproxy.ts';
import { get, startLoad } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { startHttpUpstream, type Upstream } from '../harness/upstream.ts';
import { Listener, linesIn, sendRaw } from './tapBed.ts';
import { type GeneratorBed, instanceOf, type Services, startGenerator, topLevel } from './bed.ts';

const patience = { timeoutMs: 20_000, intervalMs: 20 };

describe('requests, looked at while they pass', () => {
  let dir: string;
  let haproxy: Haproxy;
  let upstream: Upstream;
  let bed: GeneratorBed;
  let ports: { web: number; api: number };
  let taps: Tap[];
  let cleanUps: (() => unknown)[];

  beforeEach(async () => {
    dir = makeTempDir('tap');
    ports = { web: await freePort(), api: await freePort() };
    upstream = await startHttpUpstream({ identity: 'u1', host: '127.0.7.1' });
    haproxy = await startHaproxy({ dir, config: await firstConfig() });
    taps = [];
    cleanUps = [];
    start();
  });
  afterEach(async () => {
    for (const tap of taps) tap.close();
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
    await bed.stop();
    await haproxy.stop();
    await upstream.stop();
    removeTempDir(dir);
  });

  async function firstConfig(): Promise<string> {
    const { global, defaults } = testBase(dir);
    const idle = `listen idle\nbind 127.0.0.1:${await freePort()}\n`;
    return ['global', ...global, 'defaults', ...defaults, idle].join('\n');
  }
  function start(block: object = {}): void {
    const traffic = { latencies: true, stickCounter: 2, tap: true };
    bed = startGenerator(topLevel(dir, { ...block }), { watchMs: 100 }, undefined, traffic);
  }
  const services = (web: object = {}, api: object = {}): Services => {
    const instances = [instanceOf(upstream)];
    return {
      web: { instances, haproxy: { port: ports.web, ...web } },
      api: { instances, haproxy: { port: ports.api, ...api } },
    };
  };
  const written = async () => linesIn(await haproxy.ask('show events synapse-tap'));
  const ask = (path: string, port = ports.web) => get({ port, path });

  async function open(names: readonly string[], permille = 1000): Promise<{ heard: Listener; tap: Tap }> {
    const heard = new Listener();
    const tap = bed.generator.tap!.open(names, permille, heard);
    taps.push(tap);
    await eventually(() => heard.states.at(-1), { what: 'the tap is attached', ...patience });
    return { heard, tap };
  }
  const hears = (heard: Listener, path: string) =>
    eventually(() => heard.paths.includes(path), { what: `${path} is told of`, ...patience });

  it('are told of with what they were, of the services that somebody taps, and HAProxy is silent before and after', async () => {
    expect(await bed.settle(services())).toContain('reload');
    expect(bed.status().quarantined).toEqual([]);
    expect(bed.generator.tap!.services()).toEqual([{ service: 'web' }, { service: 'api' }]);
    for (let n = 0; n < 20; n += 1) await ask('/quiet');
    expect(await written()).toEqual([]);
    const { heard, tap } = await open(['web']);
    await ask('/a/b?secret=1');
    await ask('/other', ports.api);
    upstream.behave('fail');
    await ask('/fails');
    await hears(heard, '/fails');
    expect(heard.paths).toEqual(['/a/b', '/fails']);
    const [first, second] = heard.requests;
    expect(first).toMatchObject({
      ...{ service: 'web', source: '127.0.0.1', method: 'GET', status: 200, retries: 0, redispatched: false },
      ...{ server: `u1_${upstream.host}:${upstream.port}`, termination: '--', outcome: 'success' },
    });
    expect(Math.abs(first!.at - Date.now())).toBeLessThan(20_000);
    expect(first!.latency).toBeGreaterThan(0);
    expect(first!.duration).toBeGreaterThanOrEqual(first!.latency!);
    expect(second).toMatchObject({ status: 500, outcome: 'failure' });
    expect((await written()).join('\n')).not.toContain('secret');

    tap.close();
    await eventually(async () => !(await haproxy.ask('show table synapse-tap')).includes('key=web'), {
      what: 'nobody is wanted any more',
      ...patience,
    });
    const before = (await written()).length;
    for (let n = 0; n < 20; n += 1) await ask('/quiet');
    expect((await written()).length).toBe(before);
  });

  it('are forgotten by HAProxy when whoever asked for them died, however many pass', async () => {
    await bed.settle(services());
    await haproxy.ask('set table synapse-tap key web data.gpt0 1000');
    await ask('/dead');
    await eventually(async () => (await written()).length === 1, { what: 'it is written', ...patience });
    const load = startLoad({
      port: ports.web,
      clients: 1,
      connections: 'keep-alive',
      paceMs: 20,
      maxRequests: 5_000,
    });
    await eventually(async () => !(await haproxy.ask('show table synapse-tap')).includes('key=web'), {
      what: 'the lease is over',
      ...patience,
    });
    await load.stop();
    const before = (await written()).length;
    await ask('/silent');
    expect((await written()).length).toBe(before);
  });

  it('may hold whatever a client sends: each is a line that can be read, or a refusal', async () => {
    await bed.settle(services({ frontend: ['option accept-invalid-http-request'] }));
    const { heard } = await open(['web']);
    const quotes = '"'.repeat(3_000);
    const requests: readonly (readonly [string, string | null])[] = [
      ['GET /"\\{}<>%20%0a HTTP/1.1', '/"\\{}<>%20%0a'],
      ['GET /\\u0041\\n HTTP/1.1', '/\\u0041\\n'],
      ['GET http://elsewhere/in?q=1 HTTP/1.1', '/in'],
      [`GET /${quotes} HTTP/1.1`, `/${quotes.slice(0, 511)}`],
      ['GET /caf\xc3\xa9 HTTP/1.1', '/caf\u00e9'],
      ['GET /bad\xff\xfe\x80 HTTP/1.1', '/bad'],
      ['DELETE /x HTTP/1.1', '/x'],
      ['junk', null],
    ];
    for (const [line] of requests)
      await sendRaw(ports.web, Buffer.from(`${line}\r\nhost: x\r\n\r\n`, 'latin1'));
    await ask('/last');
    await hears(heard, '/last');
    expect(heard.paths).toEqual([...requests.map(([, path]) => path), '/last']);
    const refused = { status: 400, method: null, server: null, termination: 'PR' };
    expect(heard.requests.at(-2)).toMatchObject(refused);
    expect(heard.losses).toBe(0);
  });

  it('are told of by half where half are wanted, and by all where somebody else wants all', async () => {
    await bed.settle(services());
    const { heard: half } = await open(['web'], 500);
    const count = 400;
    for (let n = 0; n < count; n += 1) await ask(`/${n}`);
    const { heard: all } = await open(['web', 'api']);
    for (let n = 0; n < 20; n += 1) await ask('/both');
    // The second may be told of the last of those before, too.
    for (const each of [all, half])
      await eventually(() => each.paths.filter((path) => path === '/both').length === 20, {
        ...{ what: 'all are told of', ...patience },
      });
    // Those before came before, so that they are all here: 200, and within 10 standard deviations of it.
    const numbered = half.paths.filter((path) => path !== '/both').length;
    expect(numbered).toBeGreaterThan(100);
    expect(numbered).toBeLessThan(300);
  });

  it('go on to be told of after a reload, and after a death of HAProxy', async () => {
    await bed.settle(services());
    const { heard } = await open(['web']);
    await ask('/before');
    await hears(heard, '/before');
    upstream.delay(1_500);
    const under = ask('/under-way');
    await eventually(() => upstream.received === 2, { what: 'it is under way', ...patience });
    upstream.delay(0);
    expect(await bed.settle(services({ backend: ['timeout server 7s'] }))).toContain('reload');
    await under;
    await hears(heard, '/under-way');
    const goesOn = (path: string) =>
      eventually(
        async () => {
          await ask(path).catch(() => undefined);
          return heard.paths.includes(path);
        },
        { what: `${path} is told of`, ...patience },
      );
    await goesOn('/after-reload');
    await haproxy.kill();
    await eventually(() => heard.states.at(-1) === false, { what: 'the death is noticed', ...patience });
    const again = await startHaproxy({ dir, configFile: haproxyPaths(dir).configFile });
    cleanUps.push(() => again.stop());
    await goesOn('/after-death');
    expect(heard.states.slice(-2)).toEqual([false, true]);
    expect(heard.losses).toBe(0);
  });

  it('are not silenced where the operator has them logged, and the reason is told', async () => {
    const target = createSocket('udp4');
    cleanUps.push(() => new Promise<void>((done) => target.close(() => done())));
    await new Promise<void>((done) => target.bind(0, '127.0.0.1', () => done()));
    const logged: string[] = [];
    target.on('message', (message) => logged.push(message.toString()));
    const log = `log 127.0.0.1:${target.address().port} local0`;
    await bed.settle(services({ frontend: [log] }, { listen: ['mode tcp'] }));
    const reasons = bed.generator.tap!.services().map(({ reason }) => reason);
    expect(reasons).toEqual([expect.stringContaining(`its \`${log}\``), expect.stringContaining('mode tcp')]);
    await ask('/own');
    await eventually(() => logged.some((line) => line.includes('web')), {
      what: 'it is logged',
      ...patience,
    });
    expect(await readFile(haproxyPaths(dir).configFile, 'utf8')).not.toContain('synapse-tap');
    // What only takes errors is not in the way, and still takes them.
    expect(await bed.settle(services({ frontend: [`${log} notice`] }))).toContain('reload');
    expect(bed.generator.tap!.services()[0]).toEqual({ service: 'web' });
  });

  it('never wait for who looks: one who stands still loses them, is told so, and nobody else is slower', async () => {
    await bed.settle(services());
    const socketPath = join(dir, 'api.sock');
    const stop = new AbortController();
    const serving = serveAdmin(
      {
        ...{ name: 'synapse', version: 'test', listen: [{ socket: socketPath }], clock: systemClock },
        ...{ logger: new RecordingLogger(), metrics: createMetrics() },
        ...{ health: () => ({ ok: true }), ready: () => ({ ok: true }), status: () => ({}) },
        routes: () =>
          Promise.resolve(tapRoutes({ tap: () => bed.generator.tap, clock: systemClock, needsToken: false })),
      },
      stop.signal,
    );
    cleanUps.push(async () => {
      stop.abort();
      await serving;
    });
    const client = new ApiClient({
      addresses: [{ socket: socketPath }],
      clock: systemClock,
      timeoutMs: 5_000,
    });
    await eventually(() => client.call('GET', '/v1/tap/services').then(() => true), {
      what: 'the API answers',
      ...patience,
    });

    const still: Socket = connect({ path: socketPath });
    let text = '';
    still.setEncoding('utf8');
    still.on('data', (chunk: string) => (text += chunk));
    still.write('GET /v1/tap?service=web&max_rps=5000 HTTP/1.1\r\nhost: localhost\r\n\r\n');
    cleanUps.push(() => still.destroy());
    await eventually(() => text.includes('"attached":true'), { what: 'it reads', ...patience });
    still.pause();
    const load = startLoad({
      port: ports.web,
      clients: 8,
      connections: 'keep-alive',
      paceMs: 0,
      maxRequests: 1e6,
    });
    cleanUps.push(() => load.stop());
    const dropped = async (): Promise<number> => {
      const [, count] = /smartstack_tap_dropped_total\{by="reader"\} (\d+)/.exec(await bed.metrics()) ?? [];
      return Number(count ?? 0);
    };
    await eventually(async () => (await dropped()) > 200, { what: 'it loses some', ...patience });
    const { failures, requests } = await load.stop();
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(200);
    still.resume();
    const events = (): readonly TapEvent[] =>
      text
        .split('\r\n')
        .flatMap((chunk) =>
          chunk
            .split('\n')
            .flatMap((line): TapEvent[] => (/^\{.*\}$/.test(line) ? [JSON.parse(line) as TapEvent] : [])),
        );
    const told = await eventually(
      async () => {
        const status = events().findLast((event) => event.type === 'status');
        return status?.dropped.reader === (await dropped()) ? status : undefined;
      },
      { what: 'it is told what it lost', ...patience },
    );
    const { seen, sent, dropped: by } = told;
    expect(sent + by.reader + by.rate).toBe(seen);
  });
});
