import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A server on an ephemeral port of the loopback (or on a path: then the port means nothing), gone with its connections when the test ends. */
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

/** Starts an HTTP server, on a unix socket if a path is given. */
export async function httpServer(onRequest: RequestListener, path?: string): Promise<TestServer> {
  return await listen(createHttpServer(onRequest), path);
}

/** Starts an HTTPS server. */
export async function httpsServer(
  pair: { readonly cert: string; readonly key: string },
  onRequest: RequestListener,
): Promise<TestServer> {
  return await listen(createHttpsServer(pair, onRequest));
}

/** Starts any server of Node's. */
export async function listen(server: Server, path?: string): Promise<TestServer> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
  });
  if (path === undefined) server.listen(0, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of open) socket.destroy();
    await closed;
  };
  onTestFinished(close);
  const { port } = path === undefined ? (server.address() as AddressInfo) : { port: 1 };
  return { port, open, close };
}
