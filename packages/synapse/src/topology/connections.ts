import type { End, Socket } from './socketTable.js';
import type { Entrance, SharedClient } from './types.js';

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
 * says to which service it goes, the client's says whose it is. At an entrance of several services the proxy says of its
 * clients (`shared`) for which they are; of others nothing is known.
 */
export function connectionsOf(
  sockets: Iterable<Socket>,
  entrances: readonly Entrance[],
  shared: readonly SharedClient[] = [],
): readonly Connection[] {
  const told = new Map<string, Set<string>>();
  for (const { frontend, client, service } of shared) {
    const key = `${frontend} ${client.host} ${client.port}`;
    told.set(key, (told.get(key) ?? new Set()).add(service));
  }
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
    const services = new Set(
      own.flatMap(
        ({ service, frontend }) =>
          service ?? [...(told.get(`${frontend} ${remote.host} ${remote.port}`) ?? [])],
      ),
    );
    // Several frontends on one address: the kernel deals connections to either.
    if (new Set(own.map(({ frontend }) => frontend)).size === 1)
      for (const service of services) accepted.push({ service, socket });
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
