import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
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
  server = await AdminServer.listen({
    ...{ name: 'test', version: '1', listen: [{ host: '127.0.0.1', port: 0 }], clock },
    ...{ logger: new RecordingLogger(), metrics: createMetrics() },
    ...{ health: fine, ready: fine, status: () => much },
  });
  const [address] = server.addresses;
  if (address === undefined || 'socket' in address) throw new Error('not a port');
  const { port, host } = address;
  const ask = async (path: string): Promise<Socket> => {
    const socket = connect(port, host);
    socket.on('error', () => undefined);
    socket.pause();
    await once(socket, 'connect');
    socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
    return socket;
  };
  return { clock, ask };
}

describe('an answer', () => {
  it('keeps no connection for a reader who reads nothing of it', async () => {
    const { clock, ask } = await start();
    const pending = clock.pending;
    const socket = await ask('/status');
    await expect.poll(() => clock.pending).toBe(pending + 1);
    await clock.advance(30_000);
    socket.resume();
    await once(socket, 'close');
    expect(socket.bytesRead).toBeLessThan(much.length);
  });

  it('leaves no timer behind once it is read', async () => {
    const { clock, ask } = await start();
    const pending = clock.pending;
    const socket = await ask('/version');
    socket.resume();
    await once(socket, 'data');
    await expect.poll(() => clock.pending).toBe(pending);
    socket.destroy();
  });
});
