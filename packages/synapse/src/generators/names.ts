import { createHash } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import type { Instance } from '@smartstack/registry';

/** Longest server name that is written as it is; beyond it the end gives way to a hash. */
const maxNameLength = 255;
const hashLength = 16;

/** A value, or why there is none (a clause that completes "refused: "). */
export type Checked<T> = { readonly value: T } | { readonly reason: string };

const shown = (value: unknown): string => {
  const text = (JSON.stringify(value) as string | undefined) ?? 'undefined';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
};

/** `<name>_<host>:<port>` or `<host>:<port>`, as Ruby builds it; refused when HAProxy could misread it. */
export function serverName(instance: Pick<Instance, 'host' | 'port' | 'name'>): Checked<string> {
  const { host, port, name = '' } = instance;
  if (typeof name !== 'string') return { reason: `name ${shown(name)} is not a string` };
  if (typeof host !== 'string' || !/^[A-Za-z0-9_.:-]{1,253}$/.test(host)) {
    return { reason: `host ${shown(host)} is neither an IP address nor a host name` };
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    return { reason: `port ${shown(port)} is not an integer from 1 to 65535` };
  }
  if (!/^[A-Za-z0-9_.:-]*$/.test(name)) {
    return {
      reason: `name ${shown(name)} holds other characters than letters, digits, '_', '.', ':' and '-'`,
    };
  }
  const full = `${name === '' ? '' : `${name}_`}${host}:${port}`;
  if (full.length <= maxNameLength) return { value: full };
  const hash = createHash('sha1').update(full).digest('hex').slice(0, hashLength);
  return { value: `${full.slice(0, maxNameLength - hashLength - 1)}-${hash}` };
}

/**
 * The IP address to connect to: the host itself, or what `addresses` resolved it to. Only literals pass;
 * HAProxy reads `unix@…`, `fd@…` and paths as addresses too, and 0.0.0.0 as "wherever the client went".
 */
export function serverAddress(host: string, addresses: ReadonlyMap<string, string>): Checked<string> {
  const address = isAddress(host) ? host : addresses.get(host);
  if (address === undefined) return { reason: `host ${shown(host)} is not resolved` };
  if (!isAddress(address))
    return { reason: `host ${shown(host)} resolved to ${shown(address)}, not an address` };
  const normal = canonicalAddress(address);
  if (normal === '0.0.0.0' || normal === '::') return { reason: `host ${shown(host)} is no destination` };
  return { value: normal };
}

/** True for an IPv4 or IPv6 literal without a zone. */
export function isAddress(host: string): boolean {
  return isIPv4(host) || (isIPv6(host) && !host.includes('%'));
}

function groupsOf(part: string): readonly number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

/** One spelling per address, so that what was configured compares with what HAProxy reports. */
export function canonicalAddress(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  const zeros = tail === undefined ? [] : new Array<number>(8 - before.length - after.length).fill(0);
  const groups = [...before, ...zeros, ...after];
  const text = groups.map((group) => group.toString(16)).join(':');
  const longest = [...text.matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)].reduce(
    (best, run) => (run[0].length > best.text.length ? { text: run[0], at: run.index } : best),
    { text: '', at: 0 },
  );
  if (longest.text === '') return text;
  const left = text.slice(0, longest.at).replace(/:$/, '');
  const right = text.slice(longest.at + longest.text.length).replace(/^:/, '');
  return `${left}::${right}`;
}

/** `host:port` in the form that HAProxy's file and commands take. */
export function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
