import { once } from 'node:events';
import { connect } from 'node:net';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { createMetrics } from '../metrics.js';
import { FakeClock, RecordingLogger } from '../testing/index.js';
import { AdminServer } from './server.js';

/** More than any buffer on the way takes. */
const much = 'x'.repeat(16 * 1024 * 1024);

let server: AdminServer | undefined;
afterEach(async () => {
  await server?.close();
});

async function start() {
  const fine = () => ({ ok: true });
  const clock = new FakeClock();
  const signals: AbortSignal[] = [];
  server = await AdminServer.listen({
    ...{ name: 'test', version: '1', listen: [{ host: '127.0.0.1', port: 0 }], clock },
    ...{ logger: new RecordingLogger(), metrics: createMetrics() },
    ...{ health: fine, ready: fine, status: () => 'all' },
    routes: async () => [
      {
        method: 'GET',
        path: '/much',
        handle: () => ({
          ...{ status: 200, contentType: 'text/plain', body: '' },
          stream: async (sink) => {
            signals.push(sink.signal);
            sink.write(much);
            sink.write('the end');
          },
        }),
      },
    ],
  });
  const [address] = server.addresses;
  if (address === undefined || 'socket' in address) throw new Error('not a port');
  return { address, clock, signals };
}

describe('a stream that has ended', () => {
  it('is read to its last word, however much of it is left', async () => {
    const { address, clock } = await start();
    const pending = clock.pending;
    const sent = request({ ...address, path: '/much', agent: false });
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const body = await text(response);
    expect([body.length, body.slice(-7)]).toEqual([much.length + 7, 'the end']);
    await expect.poll(() => clock.pending).toBe(pending);
  });

  it('keeps no connection for a reader who reads nothing', async () => {
    const { address, clock, signals } = await start();
    const socket = connect(address.port, address.host);
    socket.on('error', () => undefined);
    socket.pause();
    await once(socket, 'connect');
    const pending = clock.pending;
    socket.write('GET /much HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    await expect.poll(() => clock.pending).toBe(pending + 1);
    await clock.advance(29_999);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await clock.advance(1);
    await expect.poll(() => signals.map(({ aborted }) => aborted)).toEqual([true]);
    socket.destroy();
  });
});
