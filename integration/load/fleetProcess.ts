// Instances in a process of their own: an HTTP and a TCP server on each address. See fleet.ts.
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import type { FleetCommand, FleetPlan } from './fleet.ts';

const { addresses, httpPort, tcpPort, chunks, chunkMs } = JSON.parse(process.argv[2] ?? '{}') as FleetPlan;

/** An answer that takes its time, and whose end says that it is whole. */
function stream(address: string, response: ServerResponse): void {
  let sent = 0;
  const next = (): void => {
    if (response.destroyed) return;
    sent += 1;
    if (sent > chunks) response.end('whole\n');
    else {
      response.write(`${address}\n`);
      setTimeout(next, chunkMs);
    }
  };
  next();
}

function httpServer(address: string): Server {
  const server = createHttpServer((request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    if (request.url === '/stream') stream(address, response);
    else response.end(address);
  });
  // Node closes idle connections after 5 s by default, which HAProxy's pool would see as errors of the server.
  server.keepAliveTimeout = 0;
  return server;
}

const echoServer = (): Server => createTcpServer((socket) => void socket.pipe(socket));

/** One instance: what listens on an address, and who is connected. */
class Instance {
  readonly #address: string;
  readonly #sockets = new Set<Socket>();
  #servers: readonly Server[] = [];

  constructor(address: string) {
    this.#address = address;
  }

  async start(): Promise<void> {
    const all: readonly (readonly [Server, number])[] = [
      [httpServer(this.#address), httpPort],
      [echoServer(), tcpPort],
    ];
    this.#servers = all.map(([server]) => server);
    const listening = all.map(([server, port]) => {
      server.on('connection', (socket: Socket) => {
        this.#sockets.add(socket);
        socket.on('close', () => this.#sockets.delete(socket));
        socket.on('error', () => socket.destroy());
      });
      return new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host: this.#address, port, backlog: 511 }, resolve);
      });
    });
    await Promise.all(listening);
  }

  /** As a killed process: nothing listens, every connection is cut. */
  async kill(): Promise<void> {
    const closed = this.#servers.map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await Promise.all(closed);
  }
}

const fleet = new Map(addresses.map((address) => [address, new Instance(address)]));
await Promise.all([...fleet.values()].map((each) => each.start()));
const obey = async ({ addresses: chosen, sequence }: FleetCommand): Promise<void> => {
  const instances = chosen.flatMap((address) => fleet.get(address) ?? []);
  await Promise.all(instances.map((each) => each.kill()));
  process.send?.({ done: sequence });
};
process.on('message', (message: FleetCommand) => {
  obey(message).catch((error: unknown) => process.send?.({ reason: String(error) }));
});
process.once('disconnect', () => process.exit());
process.send?.({ done: 0 });
