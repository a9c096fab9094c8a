import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** How an upstream is started; it listens on loopback only. */
export interface UpstreamOptions {
  /** What it answers with, so that a test sees who served a request. */
  readonly identity: string;
  /** An address of 127.0.0.0/8; 127.0.0.1 unless told. */
  readonly host?: string;
  /** 0 picks a free one. */
  readonly port?: number;
}

/** A small real server that HAProxy forwards to. */
export interface Upstream {
  readonly identity: string;
  readonly host: string;
  readonly port: number;
  /** Requests (HTTP) or connections (TCP) that it has served so far. */
  readonly served: number;
  /** Requests (HTTP) or connections (TCP) that have reached it, answered or not. */
  readonly received: number;
  /** Connections open now. */
  readonly open: number;
  /** From now on: `answer` as normal, `fail` with 500 (HTTP) or a reset (TCP), `hang` without a word. */
  behave(mode: 'answer' | 'fail' | 'hang'): void;
  /** HTTP only: milliseconds between a request and its answer. */
  delay(ms: number): void;
  /** Stops listening and cuts every connection, as a killed process does. */
  stop(): Promise<void>;
}

interface State {
  served: number;
  received: number;
  mode: 'answer' | 'fail' | 'hang';
  delayMs: number;
  readonly sockets: Set<Socket>;
}

async function listen(server: Server, options: UpstreamOptions, state: State): Promise<Upstream> {
  server.on('connection', (socket: Socket) => {
    state.sockets.add(socket);
    socket.on('close', () => state.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  });
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    identity: options.identity,
    host,
    port,
    get served() {
      return state.served;
    },
    get received() {
      return state.received;
    },
    get open() {
      return state.sockets.size;
    },
    behave: (mode) => void (state.mode = mode),
    delay: (ms) => void (state.delayMs = ms),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of state.sockets) socket.destroy();
      }),
  };
}

function newState(): State {
  return { served: 0, received: 0, mode: 'answer', delayMs: 0, sockets: new Set() };
}

/** An HTTP server: every path answers 200 with the identity as body and in `X-Identity`. */
export function startHttpUpstream(options: UpstreamOptions): Promise<Upstream> {
  const state = newState();
  const answer = (response: ServerResponse): void => {
    if (state.mode === 'hang') return;
    state.served += 1;
    response.writeHead(state.mode === 'fail' ? 500 : 200, { 'x-identity': options.identity });
    response.end(options.identity);
  };
  const server = createHttpServer((request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    state.received += 1;
    if (state.delayMs === 0) answer(response);
    else setTimeout(() => answer(response), state.delayMs);
  });
  // Node closes idle connections after 5 s by default, which HAProxy's pool would see as errors of the server.
  server.keepAliveTimeout = 0;
  return listen(server, options, state);
}

/** A TCP server: greets each connection with `identity\n`, then echoes what it gets. */
export function startTcpUpstream(options: UpstreamOptions): Promise<Upstream> {
  const state = newState();
  const server = createTcpServer((socket) => {
    state.received += 1;
    if (state.mode === 'hang') return;
    if (state.mode === 'fail') {
      socket.resetAndDestroy();
      return;
    }
    state.served += 1;
    socket.write(`${options.identity}\n`);
    socket.pipe(socket);
  });
  return listen(server, options, state);
}
