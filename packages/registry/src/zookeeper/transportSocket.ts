import { connect as connectTcp, isIP, type Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { ServerAddress } from './connection.js';

export interface OpenSocket {
  readonly socket: Socket;
  /** The event after which bytes may be written. */
  readonly readyEvent: 'connect' | 'secureConnect';
}

/** Dials one address once, in plain TCP or TLS. A certificate is checked against the configured name. */
export function openSocket(server: ServerAddress, tls: ConnectionOptions | undefined): OpenSocket {
  const target = { host: server.address, port: server.port };
  if (!tls) return { socket: connectTcp({ ...target, noDelay: true }), readyEvent: 'connect' };
  const name = isIP(server.host) === 0 ? { servername: server.host } : {};
  // Loaded by who needs it: most registries are plain TCP, and the start of each agent would pay for it.
  const socket = process.getBuiltinModule('node:tls').connect({ ...name, ...tls, ...target });
  socket.setNoDelay(true);
  return { socket, readyEvent: 'secureConnect' };
}
