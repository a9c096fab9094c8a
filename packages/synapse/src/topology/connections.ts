import type { End, Socket } from './socketTable.js';
import type { Entrance } from './types.js';

/** A connection of a client to a service, seen now. */
export interface Connection {
  readonly service: string;
  /** Of the client's socket; undefined where this host has none that belongs to a process. */
  readonly uid: number | undefined;
  /** Tells it from others. */
  readonly key: string;
  /** The client's address is of this host, so that its socket should be here. */
  readonly isLocal: boolean;
}

const pairOf = (from: End, to: End): string => `${from.host} ${from.port} ${to.host} ${to.port}`;

function accepts({ host, port, bothFamilies }: Entrance, local: End): boolean {
  if (port !== local.port) return false;
  const isIpv4 = local.host.includes('.');
  if (host === '0.0.0.0') return isIpv4;
  if (host === '::') return !isIpv4 || bothFamilies;
  return host === local.host;
}

/**
 * The connections to `entrances` among the sockets of this host. Both ends of a local one are sockets: the proxy's
 * says to which service it goes, the client's says whose it is. An entrance of several services tells of none.
 */
export function connectionsOf(
  sockets: Iterable<Socket>,
  entrances: readonly Entrance[],
): readonly Connection[] {
  const byPort = new Map<number, Entrance[]>();
  for (const entrance of entrances) {
    const known = byPort.get(entrance.port);
    if (known) known.push(entrance);
    else byPort.set(entrance.port, [entrance]);
  }
  const users = new Map<string, number>();
  const accepted: { readonly service: string; readonly socket: Socket }[] = [];
  for (const socket of sockets) {
    const { local, remote, uid, state } = socket;
    if (state === 'listening') continue;
    if (byPort.has(remote.port)) users.set(pairOf(local, remote), uid);
    if (state !== 'established') continue;
    const own = byPort.get(local.port)?.filter((entrance) => accepts(entrance, local)) ?? [];
    const services = new Set(own.map(({ service }) => service));
    const [service] = services;
    if (service !== undefined && services.size === 1) accepted.push({ service, socket });
  }
  return accepted.map(({ service, socket: { local, remote } }) => {
    const key = pairOf(remote, local);
    const isLocal = remote.host === local.host || remote.host.startsWith('127.') || remote.host === '::1';
    return { service, uid: users.get(key), key, isLocal };
  });
}

/** The users whose processes listen on ports, by port; a port with several users has none. */
export function listenersOf(sockets: Iterable<Socket>): ReadonlyMap<number, number> {
  const users = new Map<number, Set<number>>();
  for (const { local, uid, state } of sockets) {
    if (state !== 'listening') continue;
    const known = users.get(local.port);
    if (known) known.add(uid);
    else users.set(local.port, new Set([uid]));
  }
  return new Map(
    [...users].flatMap(([port, uids]): [number, number][] => {
      const [uid] = uids;
      return uid !== undefined && uids.size === 1 ? [[port, uid]] : [];
    }),
  );
}
