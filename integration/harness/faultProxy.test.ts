import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from './eventually.ts';
import { startFaultProxy, type FaultProxy } from './faultProxy.ts';
import { listenAnywhere } from './ports.ts';

let echo: Server;
let proxy: FaultProxy;
let client: Socket;
let received: string;
let closed: boolean;

function dial(): void {
  received = '';
  closed = false;
  client = createConnection({ port: proxy.port, host: '127.0.0.1' });
  client.on('error', () => undefined);
  client.on('close', () => (closed = true));
  client.on('data', (chunk) => (received += chunk.toString()));
}

beforeEach(async () => {
  echo = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => socket.write(chunk));
  });
  proxy = await startFaultProxy(await listenAnywhere(echo));
  dial();
});

afterEach(async () => {
  client.destroy();
  await proxy.close();
  await new Promise((resolve) => echo.close(resolve));
});

it('forwards both ways and counts bytes', async () => {
  client.write('hello');
  await eventually(() => received === 'hello', { what: 'the echo' });
  expect(proxy.bytes).toEqual({ up: 5, down: 5 });
});

it('cuts inside the bytes of one direction, delivering those before', async () => {
  proxy.cutAfter('down', 3);
  client.write('hello');
  await eventually(() => closed, { what: 'the cut' });
  expect(received).toBe('hel');
});

it('swallows one direction, keeps the connection, and resets it when healed', async () => {
  proxy.blackhole('down');
  client.write('lost');
  await eventually(() => proxy.bytes.up === 4, { what: 'the bytes reach the server' });
  expect(closed).toBe(false);
  proxy.heal();
  await eventually(() => closed, { what: 'the reset' });
  expect(received).toBe('');
  dial();
  client.write('seen');
  await eventually(() => received === 'seen', { what: 'the echo after healing' });
});

it('holds bytes back and delivers them in order when healed', async () => {
  client.write('a');
  await eventually(() => received === 'a', { what: 'the first echo' });
  proxy.hold('up');
  client.write('b');
  client.write('c');
  proxy.heal();
  await eventually(() => received === 'abc', { what: 'the held bytes' });
});

it('refuses, resets, injects', async () => {
  client.write('x');
  await eventually(() => received === 'x', { what: 'the echo' });
  proxy.inject(Buffer.from('!'));
  await eventually(() => received === 'x!', { what: 'the injected byte' });
  proxy.cut();
  await eventually(() => closed, { what: 'the reset' });
  proxy.refuse();
  dial();
  await eventually(() => closed, { what: 'the refusal' });
  expect(proxy.accepted).toBe(2);
});
