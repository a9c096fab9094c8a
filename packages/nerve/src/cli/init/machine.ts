import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { byText } from '@smartstack/agent';
import { reachOf } from './listeners.js';
import type { Host } from './plan.js';
import { readListeners, readOwners, textOf } from './procfs.js';

type Interfaces = Readonly<
  Record<string, readonly { readonly address: string; readonly family: string; readonly internal: boolean }[]>
>;

/** Linux's own, where the setting cannot be read. */
const usualRange: readonly [number, number] = [32_768, 60_999];

/** Looks at this machine. `proc`: where its proc file system is. Throws where there is none. */
export function readHost(proc = '/proc', passwd = '/etc/passwd'): Host {
  const listeners = readListeners(proc);
  return {
    name: hostname(),
    address: ownAddress(networkInterfaces() as Interfaces, textOf(join(proc, 'net/route'))),
    ephemeral: parseRange(textOf(join(proc, 'sys/net/ipv4/ip_local_port_range'))),
    listeners,
    owners: readOwners(proc, listeners),
    users: parseUsers(textOf(passwd)),
  };
}

/**
 * The address by which this machine reaches others, or any that others may reach: of the interface with the default
 * route first, IPv4 first. `routes`: /proc/net/route.
 */
export function ownAddress(interfaces: Interfaces, routes: string): Host['address'] {
  const defaults = routes
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')
    .sort((a, b) => Number(a[6]) - Number(b[6]))
    .map(([name]) => name);
  const rank = (name: string): number => {
    const at = defaults.indexOf(name);
    if (at >= 0) return at;
    // Bridges to containers and virtual machines have addresses that mean nothing elsewhere.
    return /^(docker|br-|virbr|veth|cni|flannel|cali|lxc|lxd)/.test(name) ? 2_000 : 1_000;
  };
  const usable = Object.entries(interfaces).flatMap(([name, all]) =>
    all
      .filter(({ address, internal }) => !internal && reachOf(address) === 'address')
      .map(({ address, family }) => ({ address, family, interface: name })),
  );
  const [best] = usable.sort((a, b) => rank(a.interface) - rank(b.interface) || byText(a.family, b.family));
  return best && { address: best.address, interface: best.interface };
}

/** Reads /proc/sys/net/ipv4/ip_local_port_range. */
export function parseRange(text: string): readonly [number, number] {
  const match = /^\s*(\d{1,5})\s+(\d{1,5})\s*$/.exec(text);
  return match === null ? usualRange : [Number(match[1]), Number(match[2])];
}

/** Names by uid, from /etc/passwd; the first of several counts. */
export function parseUsers(text: string): ReadonlyMap<number, string> {
  const entries = text.split('\n').flatMap((line): [number, string][] => {
    const [name = '', , uid = ''] = line.split(':');
    return name !== '' && /^\d+$/.test(uid) ? [[Number(uid), name]] : [];
  });
  return new Map(entries.reverse());
}
