import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { selfSigned } from '../testing/certificates.js';
import { checkOf } from '../testing/probe.js';
import { httpServer, httpsServer, tcpServer } from '../testing/servers.js';
import { probeWithin } from './deadline.js';
import { noteConnected } from './connecting.js';
import { type Step, TraceRecorder, withoutSecret } from './trace.js';

/** The steps of one probe, in real time. */
async function steps(options: Readonly<Record<string, unknown>>, port = 1): Promise<readonly Step[]> {
  const recorder = new TraceRecorder(systemClock);
  const never = new AbortController().signal;
  return recorder.finish(await probeWithin(checkOf(options, port), systemClock, never, recorder));
}

/** Each as `name: detail`, with an exclamation mark where it failed. */
async function told(options: Readonly<Record<string, unknown>>, port?: number): Promise<readonly string[]> {
  return (await steps(options, port)).map(
    ({ step, ok, detail, reason }) => `${step}${ok ? '' : '!'}: ${detail}${reason ? ` (${reason})` : ''}`,
  );
}

describe('without a trace', () => {
  it('a socket is not asked where it leads: each answer costs a call of the kernel', () => {
    const asked: PropertyKey[] = [];
    const socket = new Proxy(new Socket(), {
      get: (real, key) => {
        asked.push(key);
        return Reflect.get(real, key) as unknown;
      },
    });
    noteConnected(socket, undefined);
    expect(asked).toEqual([]);
    noteConnected(socket, new TraceRecorder(new FakeClock()));
    expect(asked).toContain('remoteAddress');
  });
});

describe('TraceRecorder', () => {
  it('times each step, and takes the one under way for the one that failed', async () => {
    const clock = new FakeClock();
    const recorder = new TraceRecorder(clock);
    await clock.advance(5);
    recorder.step('connect', 'there');
    await clock.advance(10);
    recorder.note('from here');
    recorder.step('request');
    await clock.advance(20);
    expect(recorder.finish({ ok: false, reason: 'hung up' })).toEqual([
      { step: 'connect', ok: true, detail: 'there, from here', atMs: 5, tookMs: 10 },
      { step: 'request', ok: false, reason: 'hung up', detail: '', atMs: 15, tookMs: 20 },
    ]);
  });

  it('is told nothing more once the probe is over', () => {
    const recorder = new TraceRecorder(new FakeClock());
    const done = recorder.finish({ ok: true });
    recorder.step('late');
    recorder.note('late');
    expect(done).toEqual([{ step: 'probe', ok: true, detail: '', atMs: 0, tookMs: 0 }]);
    expect(recorder.finish({ ok: true })).toBe(done);
  });

  it('stays small and on one line, whatever it is told', () => {
    const recorder = new TraceRecorder(new FakeClock());
    for (let round = 0; round < 100; round += 1) {
      recorder.step('x'.repeat(1_000), 'a\u001b[2J\nb');
      for (let more = 0; more < 100; more += 1) recorder.note('y'.repeat(1_000));
    }
    const all = recorder.finish({ ok: false, reason: 'why' });
    expect(JSON.stringify(all).length).toBeLessThan(300_000);
    expect(all[0]?.detail).toMatch(/^a \[2J b, y/);
    // What failed is never left out.
    expect(all.at(-1)).toMatchObject({ ok: false, reason: 'why' });
  });

  it('is not told a secret', () => {
    const recorder = new TraceRecorder(new FakeClock());
    const clean = withoutSecret(recorder, (text) => text.replaceAll('hunter2', '***'));
    clean?.step('login', 'with hunter2');
    clean?.note('hunter2 again');
    expect(recorder.finish({ ok: true })[0]?.detail).toBe('with ***, *** again');
  });
});

describe('the steps of a check', () => {
  it('http: each until the body, and the headers that were sent are not among them', async () => {
    const server = await httpServer((_, response) => void response.end('fine'));
    const headers = { authorization: 'Bearer hunter2' };
    const http = { type: 'http', uri: '/up', host: 'localhost', expect: 'fine', headers };
    const all = await told(http, server.port);
    expect(all).toEqual([
      'resolve: localhost, 127.0.0.1 ::1',
      expect.stringMatching(/^connect: 127\.0\.0\.1:\d+ \[::1\]:\d+, to 127\.0\.0\.1:\d+ from port \d+$/),
      'request: GET /up',
      'answer: status 200',
      'body: ',
    ]);
    const wrong = await told({ ...http, expect: 'good' }, server.port);
    expect(wrong.at(-1)).toBe('body!:  (the expected text is not in the body)');
    expect([...all, ...wrong].join()).not.toContain('hunter2');
  });

  it('http: fails in the step that is to blame', async () => {
    const server = await httpServer((_, response) => void response.writeHead(503).end());
    expect((await told({ type: 'http', uri: '/' }, server.port)).at(-1)).toBe('answer!:  (answered 503)');
    const mute = await tcpServer(() => undefined);
    const waiting = { type: 'http', uri: '/', timeout: 0.05 };
    expect((await told(waiting, mute.port)).at(-1)).toBe('answer!:  (no answer within 0.05 s)');
    expect((await told({ ...waiting, ssl: true, ssl_timeout: 0.05 }, mute.port)).at(-1)).toBe(
      'tls!:  (no TLS session within 0.05 s)',
    );
    await server.close();
    expect(await told({ type: 'http', uri: '/' }, server.port)).toEqual([
      expect.stringMatching(/^connect!: 127\.0\.0\.1:\d+ \(connect ECONNREFUSED/),
    ]);
    expect(await told({ type: 'http', uri: '/', host: 'no.invalid', open_timeout: 5 })).toEqual([
      expect.stringMatching(/^resolve!: no\.invalid \(/),
    ]);
  });

  it('http: with TLS and authorities, and on a unix socket', async () => {
    const pair = await selfSigned('IP:127.0.0.1');
    const server = await httpsServer(pair, (_, response) => void response.end());
    const http = { type: 'http', uri: '/', ssl: true, ssl_timeout: 5 };
    const trusting = { ...http, tls_verify: true, tls_ca_file: pair.certFile };
    const all = await told(trusting, server.port);
    expect(all.map((line) => line.split(':')[0])).toEqual([
      ...['authorities', 'connect', 'tls', 'request', 'answer', 'body'],
    ]);
    expect(all[2]).toMatch(/^tls: TLSv1\.3, certificate of test, until .*, verified$/);
    expect((await told(http, server.port))[1]).toMatch(/, not verified$/);
    const folder = await mkdtemp(join(tmpdir(), 'trace-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const socket = join(folder, 's');
    await httpServer((_, response) => void response.end(), socket);
    expect((await told({ type: 'http', uri: '/', unix_socket: socket })).slice(0, 2)).toEqual([
      `connect: ${socket}`,
      'request: GET /',
    ]);
  });

  it('redis: its commands, without what they were given', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'trace-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'password');
    await writeFile(file, 'hunter2\n');
    const good = await tcpServer((socket) => void socket.write('+OK\r\n+PONG\r\n:1\r\n'));
    const redis = { type: 'redis', timeout: 2, username: 'u' };
    expect(await told({ ...redis, password_file: file }, good.port)).toEqual([
      `password: ${file}`,
      expect.stringMatching(/^connect: /),
      ...['AUTH: ', 'PING: ', 'EXISTS: '],
    ]);
    const bad = await tcpServer((socket) => void socket.write('+OK\r\n-ERR hunter2\r\n'));
    const failing = await told({ ...redis, password: 'hunter2' }, bad.port);
    expect(failing.at(-1)).toBe('PING!:  (PING: ERR ***)');
  });

  it('exec: the start, the run and how it ended', async () => {
    expect(await told({ type: 'exec', command: 'true', timeout: 5 })).toEqual([
      'start: /bin/sh',
      expect.stringMatching(/^run: process \d+, exited with 0$/),
    ]);
    expect((await told({ type: 'exec', command: 'echo no; exit 3', timeout: 5 })).at(-1)).toMatch(
      /^run!: process \d+ \(exited with 3: no\)$/,
    );
    expect(await told({ type: 'exec', command: ['/no/such'], timeout: 5 })).toEqual([
      'start!: /no/such (spawn /no/such ENOENT)',
    ]);
  });

  it('tcp, noop and ttl: what there is', async () => {
    const server = await tcpServer(() => undefined);
    expect((await told({ type: 'tcp' }, server.port)).map((line) => line.split(':')[0])).toEqual(['connect']);
    expect(await told({ type: 'noop' })).toEqual(['noop: nothing is tested']);
    expect(await told({ type: 'ttl', ttl: 5 })).toEqual(['heartbeat!: ttl (no heartbeat yet)']);
  });

  it('are only listened to: a check does the same with a trace and without', async () => {
    const asked: string[] = [];
    const server = await tcpServer((socket) => {
      socket.on('data', (chunk) => {
        asked.push(createHash('sha256').update(chunk).digest('hex'));
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      });
    });
    const check = checkOf({ type: 'http', uri: '/same', timeout: 2 }, server.port);
    const never = new AbortController().signal;
    const recorder = new TraceRecorder(systemClock);
    expect(await probeWithin(check, systemClock, never)).toEqual({ ok: true });
    expect(await probeWithin(check, systemClock, never, recorder)).toEqual({ ok: true });
    expect(asked).toHaveLength(2);
    expect(asked[0]).toBe(asked[1]);
  });
});
