import { open } from 'node:fs/promises';
import { endianness } from 'node:os';
import { readSocket, type Socket } from './socketTable.js';

/** About 200,000 sockets; more are not read. */
const maxBytes = 32 * 1024 * 1024;
const chunkBytes = 128 * 1024;

/** What was read of this host's sockets. */
export interface SocketReading {
  readonly sockets: readonly Socket[];
  /** There are more than are read. */
  readonly isCut: boolean;
}

async function readFrom(
  file: string,
  ports: ReadonlySet<number>,
  signal: AbortSignal,
): Promise<SocketReading> {
  const sockets: Socket[] = [];
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(chunkBytes);
    const order = endianness();
    let [rest, total] = ['', 0];
    // Piece by piece: between two of them others have their turn.
    while (total < maxBytes) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, chunkBytes, null);
      if (bytesRead === 0) return { sockets, isCut: false };
      total += bytesRead;
      const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const socket = readSocket(line, ports, order);
        if (socket !== undefined) sockets.push(socket);
      }
    }
    return { sockets, isCut: true };
  } finally {
    await handle.close();
  }
}

/** The TCP sockets of this host that have one of these ports at an end. Throws where the system has no such list. */
export async function readSockets(
  ports: ReadonlySet<number>,
  signal: AbortSignal,
  folder = '/proc/self/net',
): Promise<SocketReading> {
  const ipv4 = await readFrom(`${folder}/tcp`, ports, signal);
  try {
    const ipv6 = await readFrom(`${folder}/tcp6`, ports, signal);
    return { sockets: [...ipv4.sockets, ...ipv6.sockets], isCut: ipv4.isCut || ipv6.isCut };
  } catch (error) {
    // A kernel without IPv6.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ipv4;
    throw error;
  }
}
