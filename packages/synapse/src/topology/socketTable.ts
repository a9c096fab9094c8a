/** The end of a connection: an IPv4 address for those that are mapped into IPv6. */
export interface End {
  readonly host: string;
  readonly port: number;
}

/** A TCP socket of this host. */
export interface Socket {
  readonly local: End;
  readonly remote: End;
  readonly uid: number;
  readonly state: 'established' | 'listening' | 'closing';
}

/** Order of bytes of the machine, as `os.endianness()` tells it. */
export type Endianness = 'LE' | 'BE';

const states: Readonly<Record<string, Socket['state']>> = {
  '01': 'established',
  '04': 'closing',
  '05': 'closing',
  '08': 'closing',
  '0A': 'listening',
};

/** The kernel writes an address as numbers of 32 bits in the machine's own order. */
function bytesOf(hex: string, order: Endianness): readonly number[] {
  const bytes: number[] = [];
  for (let at = 0; at < hex.length; at += 8) {
    const word = [0, 2, 4, 6].map((offset) => Number.parseInt(hex.slice(at + offset, at + offset + 2), 16));
    bytes.push(...(order === 'LE' ? word.reverse() : word));
  }
  return bytes;
}

/** The longest row of zeros is left out, as everybody writes it. */
function ipv6(bytes: readonly number[]): string {
  const words = Array.from({ length: 8 }, (_, index) =>
    (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16),
  );
  let [best, length] = [0, 0];
  for (let start = 0; start < 8; start += 1) {
    let end = start;
    while (words[end] === '0') end += 1;
    if (end - start > length) [best, length] = [start, end - start];
  }
  if (length < 2) return words.join(':');
  return `${words.slice(0, best).join(':')}::${words.slice(best + length).join(':')}`;
}

/** The same few addresses come again and again. */
const known = new Map<string, string>();
const maxKnown = 10_000;

function hostOf(hex: string, order: Endianness): string {
  const key = `${order}${hex}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  if (known.size >= maxKnown) known.clear();
  const host = readHost(hex, order);
  known.set(key, host);
  return host;
}

function readHost(hex: string, order: Endianness): string {
  const bytes = bytesOf(hex, order);
  if (bytes.length === 4) return bytes.join('.');
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  return isMapped ? bytes.slice(12).join('.') : ipv6(bytes);
}

const end = '([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})';
const line = new RegExp(
  `^ *\\d+: ${end} ${end} ([0-9A-F]{2}) [0-9A-F]+:[0-9A-F]+ [0-9A-F]+:[0-9A-F]+ [0-9A-F]+ +(\\d{1,10}) +\\d+ +(\\d+) `,
);

/** Most lines are of no interest: their ports stand at known places. */
function mayHave(text: string, ports: ReadonlySet<number>): boolean {
  const local = text.indexOf(':') + 2;
  const width = text.charAt(local + 8) === ':' ? 8 : 32;
  const remote = local + width + 6;
  const portAt = (start: number): number =>
    Number.parseInt(text.slice(start + width + 1, start + width + 5), 16);
  return ports.has(portAt(local)) || ports.has(portAt(remote));
}

/**
 * A line of /proc/net/tcp or tcp6, if one of its ports is among `ports`. Undefined for any other, for the header, and
 * for what no process has any more: the kernel has forgotten whose it was, and says 0.
 */
export function readSocket(text: string, ports: ReadonlySet<number>, order: Endianness): Socket | undefined {
  if (!mayHave(text, ports)) return undefined;
  const found = line.exec(text);
  if (found === null) return undefined;
  const [, localHost = '', localPort = '', remoteHost = '', remotePort = '', code = '', uid = '', inode] =
    found;
  const [here, there] = [Number.parseInt(localPort, 16), Number.parseInt(remotePort, 16)];
  const state = states[code];
  if (inode === '0' || state === undefined || !(ports.has(here) || ports.has(there))) return undefined;
  return {
    local: { host: hostOf(localHost, order), port: here },
    remote: { host: hostOf(remoteHost, order), port: there },
    uid: Number(uid),
    state,
  };
}
