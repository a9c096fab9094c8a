import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Clock } from '@smartstack/agent';
import { noteConnected, noteSecured, tracedLookup } from './connecting.js';
import { connectionOptions, type Tls } from './tlsOptions.js';
import type { Trace } from './trace.js';

const lookEveryMs = 10;

/** Where a socket goes, and what ends it. */
export interface SocketOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** Destroys the socket. */
  readonly signal: AbortSignal;
  /** The most that the peer may send, in bytes; about, for a clock looks now and then. */
  readonly maxBytes: number;
  readonly trace: Trace | undefined;
}

/** Begins to connect. The socket is gone once the signal aborts, or the peer has sent too much. */
export function beginSocket({ clock, signal, maxBytes, trace, ...address }: SocketOptions): Socket {
  const { host, port } = address;
  const socket = connect({ host, port, lookup: tracedLookup(address, trace), noDelay: true });
  if (trace !== undefined) socket.once('connect', () => noteConnected(socket, trace));
  // Whoever uses it hears of errors as well; nobody may be left when the last one comes.
  socket.on('error', () => undefined);
  const end = (): void => void socket.destroy();
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  const look = (): void => {
    if (socket.destroyed) return;
    if (socket.bytesRead > maxBytes) socket.destroy(new Error(`sent more than ${maxBytes} bytes`));
    else clock.setTimeout(look, lookEveryMs);
  };
  look();
  return socket;
}

/** Connects, with TLS if asked for. Rejects with what kept it from that. */
export async function openSocket(
  options: SocketOptions & { readonly tls: Tls | undefined; readonly alpn?: readonly string[] },
): Promise<Socket> {
  const { tls, alpn, signal, trace } = options;
  const plain = beginSocket(options);
  await once(plain, 'connect', { signal });
  if (tls === undefined) return plain;
  trace?.step('tls', `as ${tls.name}`);
  const secure = connectTls({
    ...connectionOptions(tls),
    socket: plain,
    ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
  });
  secure.on('error', () => undefined);
  plain.once('close', () => secure.destroy());
  signal.addEventListener('abort', () => void secure.destroy(), { once: true });
  await once(secure, 'secureConnect', { signal });
  noteSecured(secure, trace);
  return secure;
}
