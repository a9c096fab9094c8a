import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A server on an ephemeral port of the loopback, gone with its connections when the test ends. */
export interface TestServer {
  readonly port: number;
  /** Connections that are open now. */
  readonly open: ReadonlySet<Socket>;
  readonly close: () => Promise<void>;
}

/** Starts a raw TCP server. */
export async function tcpServer(onSocket: (socket: Socket) => void): Promise<TestServer> {
  const server = createServer((socket) => {
    // Without a reader the end of the connection would go unnoticed.
    socket.resume();
    onSocket(socket);
  });
  return await listen(server);
}

/** Starts an HTTP server. */
export async function httpServer(onRequest: RequestListener): Promise<TestServer> {
  return await listen(createHttpServer(onRequest));
}

/** Starts any server of Node's. */
export async function listen(server: Server): Promise<TestServer> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of open) socket.destroy();
    await closed;
  };
  onTestFinished(close);
  return { port: (server.address() as AddressInfo).port, open, close };
}
