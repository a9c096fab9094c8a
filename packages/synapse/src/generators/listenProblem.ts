import { once } from 'node:events';
import { createServer } from 'node:net';

/** Where somebody is to listen. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** Of `::`: for IPv4, too. */
  readonly bothFamilies?: boolean;
  /** It may be an address that this machine does not have yet. */
  readonly isForeign?: boolean;
}

/**
 * Why nobody can listen there now: another process does, or this machine has no such address. Other problems (no
 * permission for a low port, for one) need not be those of the process that is to listen.
 */
export async function listenProblem({
  host,
  port,
  bothFamilies = false,
  isForeign = false,
}: ListenAddress): Promise<string | undefined> {
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen({ host, port, exclusive: true, ipv6Only: !bothFamilies });
    await once(server, 'listening');
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') return 'another process listens there';
    return code === 'EADDRNOTAVAIL' && !isForeign ? 'this machine has no such address' : undefined;
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
