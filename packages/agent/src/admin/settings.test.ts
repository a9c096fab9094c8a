import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ApiClient } from '../apiClient.js';
import { FakeClock, RecordingLogger } from '../testing/index.js';
import { systemClock } from '../clock.js';
import { createMetrics } from '../metrics.js';
import { type AdminAddress, adminSettings, serveAdmin, withUnitSocket } from './index.js';
import { AdminServer } from './server.js';

describe('adminSettings', () => {
  const schema = adminSettings('127.0.0.1:3454');
  const usual = [{ host: '127.0.0.1', port: 3454 }];

  it.each([
    ['no key', undefined, usual],
    ['an empty key', null, usual],
    ['an empty map', {}, usual],
    ['nowhere', { listen: false }, []],
    ['any port', { listen: 'localhost:0' }, [{ host: 'localhost', port: 0 }]],
    ['IPv6', { listen: '[::1]:80' }, [{ host: '::1', port: 80 }]],
    [
      'a socket as well',
      { listen: ['/run/a.sock', '[::1]:80'] },
      [{ socket: '/run/a.sock' }, { host: '::1', port: 80 }],
    ],
  ])('%s', (_, value, expected) => {
    expect(schema.parse(value)).toEqual({
      ...{ listen: expected, access: {}, allowedHosts: [], isUsual: expected === usual },
    });
  });

  it('has a socket in the folder of the unit, where nothing else was said', () => {
    const env = { RUNTIME_DIRECTORY: '/run/nerve:/run/other' };
    const socket = { socket: '/run/nerve/nerve.sock' };
    expect(withUnitSocket(schema.parse(undefined), 'nerve', env).listen).toEqual([...usual, socket]);
    expect(withUnitSocket(schema.parse({ listen: '127.0.0.1:3454' }), 'nerve', env).listen).toEqual(usual);
    expect(withUnitSocket(schema.parse({ listen: false }), 'nerve', env).listen).toEqual([]);
    expect(withUnitSocket(schema.parse(undefined), 'nerve', {}).listen).toEqual(usual);
  });

  it.each(['3454', ':3454', 'host', 'host:65536', 'host:-1', '::1:80', 'a b:1', '', true, []])(
    'refuses %j',
    (listen) => {
      expect(schema.safeParse({ listen }).success).toBe(false);
    },
  );
});

describe('adminSettings, of host names', () => {
  const schema = adminSettings('127.0.0.1:1');
  it.each(['vm-1', 'VM-1.example', 'a_b.c'])('takes %j', (name) => {
    expect(schema.parse({ allowed_hosts: [name] }).allowedHosts).toEqual([name]);
  });
  it.each(['*', '*.example', 'vm-1:3455', 'http://vm-1', '.example', 'a..b', '-a', '', 'a'.repeat(254)])(
    'refuses %j',
    (name) => expect(schema.safeParse({ allowed_hosts: [name] }).success).toBe(false),
  );
});

describe('adminSettings, of a socket', () => {
  it('takes the longest path that the kernel does, and says of a longer one how long it may be', () => {
    const schema = adminSettings('127.0.0.1:1');
    const longest = `/${'s'.repeat(106)}`;
    expect(schema.parse({ listen: longest }).listen).toEqual([{ socket: longest }]);
    for (const listen of [`${longest}x`, ['127.0.0.1:1', `${longest}x`]])
      expect(JSON.stringify(schema.safeParse({ listen }).error?.issues)).toContain(
        'too long for the path of a socket: 108 bytes, at most 107',
      );
  });
});

describe('serveAdmin', () => {
  const health = () => ({ ok: true });
  const options = (listen: readonly AdminAddress[], logger: RecordingLogger) => ({
    name: 'test',
    version: '1.2.3',
    clock: systemClock,
    listen,
    logger,
    metrics: createMetrics(),
    health,
    ready: health,
    status: () => 'fine',
  });

  it('waits for an address that is taken, says so once, and serves when it is free', async () => {
    const logger = new RecordingLogger();
    const clock = new FakeClock();
    const stop = new AbortController();
    const holder = await AdminServer.listen(options([{ host: '127.0.0.1', port: 0 }], logger));
    let listening: (value: unknown) => void = () => undefined;
    const served = new Promise((resolve) => (listening = resolve));
    const ended = serveAdmin(
      { ...options(holder.addresses, logger), clock, onListening: listening },
      stop.signal,
    );
    const refusals = () => logger.records.filter(({ message }) => message === 'no admin API for now');
    // Ports answer in real time, the pauses between attempts pass in the clock's.
    for (let seconds = 0; seconds < 3;) {
      if (clock.pending > 0) seconds += 1;
      await clock.advance(clock.pending > 0 ? 1_000 : 0);
    }
    expect(refusals()).toHaveLength(1);
    await holder.close();
    while (clock.pending === 0) await clock.advance(0);
    await clock.advance(1_000);
    expect(await served).toEqual(holder.addresses);
    stop.abort();
    await ended;
  });

  it('listens where it can while somebody else holds one of its addresses', async () => {
    const logger = new RecordingLogger();
    const stop = new AbortController();
    const holder = await AdminServer.listen(options([{ host: '127.0.0.1', port: 0 }], logger));
    const free = { socket: join(await mkdtemp(join(tmpdir(), 'serve-')), 'a.sock') };
    let told = 0;
    const ended = serveAdmin(
      {
        ...options([...holder.addresses, free], logger),
        clock: new FakeClock(),
        onListening: () => (told += 1),
      },
      stop.signal,
    );
    const messages = () => logger.records.map(({ message }) => message).sort();
    await expect.poll(messages).toEqual(['admin API is listening', 'no admin API for now']);
    const client = new ApiClient({ addresses: [free], clock: systemClock, timeoutMs: 5_000 });
    expect(await client.call('GET', '/version')).toEqual({ agent: 'test', version: '1.2.3' });
    expect(told).toBe(0);
    stop.abort();
    await ended;
    await holder.close();
    await rm(dirname(free.socket), { recursive: true });
  });
});
