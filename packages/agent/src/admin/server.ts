import { once } from 'node:events';
import { lstat, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { AgentError } from '../errors.js';
import { originOf } from './authorise.js';
import { createHandler, type Handler } from './handler.js';
import { giveSocket, privately, socketRights } from './socketFile.js';
import type { AdminAccess, AdminAddress, AdminOptions } from './types.js';

/** The agent's HTTP interface, listening. */
export class AdminServer {
  /** Where it listens, with the ports that were chosen for port 0. */
  readonly addresses: readonly AdminAddress[];
  readonly #servers: readonly Server[];

  private constructor(servers: readonly Server[], addresses: readonly AdminAddress[]) {
    this.#servers = servers;
    this.addresses = addresses;
  }

  /**
   * Listens on all addresses, or on none: throws AgentError `admin_listen` that names the address and
   * the reason (in use, no permission). What to do about it is the agent's decision. `handle`: one that other
   * servers share.
   */
  static async listen(options: AdminOptions, handle = createHandler(options)): Promise<AdminServer> {
    const servers: Server[] = [];
    const addresses: AdminAddress[] = [];
    try {
      for (const address of options.listen) {
        const server = await newServer(handle, address);
        servers.push(server);
        addresses.push(await listenOn(server, address, options.access));
        server.on('error', (error) => {
          options.logger.warn('admin server', { error });
        });
      }
    } catch (error) {
      await Promise.all(servers.map(closeNow));
      throw error;
    }
    return new AdminServer(servers, addresses);
  }

  /** Serves until `signal` aborts, then closes at once, open requests included. */
  async run(signal: AbortSignal): Promise<void> {
    if (!signal.aborted) await once(signal, 'abort');
    await this.close();
  }

  /** Stops listening and cuts every connection. */
  async close(): Promise<void> {
    await Promise.all(this.#servers.map(closeNow));
  }
}

async function newServer(handle: Handler, address: AdminAddress): Promise<Server> {
  // Not with the rest of the agent: what it exists for starts sooner.
  const { createServer } = await import('node:http');
  const origin = originOf(address);
  const server = createServer(
    {
      maxHeaderSize: 8 * 1024,
      headersTimeout: 5_000,
      requestTimeout: 10_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => {
      handle(request, response, origin).catch(() => response.destroy());
    },
  );
  server.maxConnections = 128;
  return server;
}

async function closeNow(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function listenOn(
  server: Server,
  address: AdminAddress,
  access: AdminAccess = {},
): Promise<AdminAddress> {
  try {
    if ('socket' in address) {
      const rights = await socketRights(access);
      await listenOnSocket(server, address.socket);
      await giveSocket(address.socket, rights);
      return address;
    }
    await started(server, { host: address.host, port: address.port });
    return { host: address.host, port: (server.address() as AddressInfo).port };
  } catch (error) {
    const where = 'socket' in address ? address.socket : `${address.host}:${address.port}`;
    throw new AgentError('admin_listen', `Cannot listen on ${where}: ${reason(error, address)}`, {
      cause: error,
      retriable: true,
    });
  }
}

async function listenOnSocket(server: Server, path: string): Promise<void> {
  try {
    await started(server, { path });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !(await isAbandoned(path))) throw error;
    // Left behind by an agent that was killed.
    await unlink(path);
    await started(server, { path });
  }
}

async function started(
  server: Server,
  options: { readonly host?: string; readonly port?: number; readonly path?: string },
): Promise<void> {
  const listening = once(server, 'listening');
  if (options.path === undefined) server.listen({ ...options });
  else privately(() => server.listen({ ...options }));
  await listening;
}

/** True when it is certain that `path` is a socket on which nobody listens. */
async function isAbandoned(path: string): Promise<boolean> {
  // Connecting to an ordinary file is refused as well.
  if (!(await lstat(path)).isSocket()) return false;
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}

function reason(error: unknown, address: AdminAddress): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code ?? '') {
    case 'EADDRINUSE':
      return 'the address is in use by another process';
    case 'EACCES':
      // For a socket libuv reports a missing directory in the same way.
      return 'socket' in address ? 'no permission, or its directory does not exist' : 'no permission';
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'this machine has no such address';
    default:
      return message;
  }
}
