/** A TCP socket that waits for connections. */
export interface Listener {
  /** An IPv4 or IPv6 address; `0.0.0.0` and `::` are all of them. */
  readonly address: string;
  readonly port: number;
  /** Who may be found by it: /proc/PID/fd has links to `socket:[INODE]`. */
  readonly inode: string;
  /** The user whose socket it is. */
  readonly uid: number;
}

/** How far away its callers may be. */
export type Reach = 'anywhere' | 'address' | 'link' | 'loopback';

/** The state LISTEN of the kernel's table. */
const listening = '0A';

/**
 * Reads /proc/net/tcp or /proc/net/tcp6. Lines that are not understood are left out. `littleEndian`: how this
 * machine keeps numbers, for the kernel prints addresses as it has them in memory, in words of 32 bits.
 */
export function parseListeners(text: string, littleEndian: boolean): readonly Listener[] {
  return text.split('\n').flatMap((line) => {
    const [, local = '', , state, , , , uid = '', , inode = ''] = line.trim().split(/\s+/);
    const match = /^((?:[0-9A-F]{8}){1,4}):([0-9A-F]{4})$/i.exec(local);
    if (state !== listening || match === null || !/^\d+$/.test(inode) || !/^\d+$/.test(uid)) return [];
    const address = addressOf(match[1] ?? '', littleEndian);
    const port = Number.parseInt(match[2] ?? '', 16);
    return address === undefined || port === 0 ? [] : [{ address, port, inode, uid: Number(uid) }];
  });
}

function addressOf(hex: string, littleEndian: boolean): string | undefined {
  const words = [...hex.matchAll(/.{8}/g)].map(([word]) => {
    const bytes = [...word.matchAll(/../g)].map(([byte]) => Number.parseInt(byte, 16));
    return littleEndian ? bytes.reverse() : bytes;
  });
  const bytes = words.flat();
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return undefined;
  // What listens on an IPv4 address through an IPv6 socket, as Java does.
  if (bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255)
    return bytes.slice(12).join('.');
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((bytes[2 * at] ?? 0) * 256 + (bytes[2 * at + 1] ?? 0)).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** Who can reach what listens there. */
export function reachOf(address: string): Reach {
  if (address === '0.0.0.0' || address === '::') return 'anywhere';
  if (address.startsWith('127.') || address === '::1') return 'loopback';
  if (address.startsWith('169.254.') || /^fe[89ab]/.test(address)) return 'link';
  return 'address';
}

/** `127.0.0.1:80` or `[::1]:80`. */
export function endpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
