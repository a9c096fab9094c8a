import type { RememberedServer, ServiceMemory } from './memory.js';
import type { BackendServers } from './servers.js';

type Servers = ServiceMemory['servers'];

/** What was discovered, and the servers to which it added nothing: nor will it the next time. */
const settled = new WeakMap<BackendServers['live'], { readonly servers: Servers; readonly limit: number }>();

/**
 * Adds what was discovered now to what is remembered; what was not stays with its older time, the newest `limit`
 * of it. The same servers as before are the same map. Of a service without instances nothing changes.
 */
export function remember(
  remembered: ServiceMemory,
  live: BackendServers['live'],
  limit: number,
  nowSeconds: number,
): Pick<ServiceMemory, 'servers' | 'seen'> {
  if (live.size === 0) return remembered;
  const before = settled.get(live);
  if (before?.servers === remembered.servers && before.limit === limit)
    return { servers: before.servers, seen: nowSeconds };
  const servers = new Map<string, RememberedServer>();
  const vanished: [name: string, seen: number][] = [];
  let isSame = true;
  for (const [name, server] of remembered.servers) {
    if (live.has(name)) {
      servers.set(name, server);
      continue;
    }
    const seen = server.seen ?? remembered.seen;
    vanished.push([name, seen]);
    isSame &&= server.seen !== undefined;
    servers.set(name, server.seen === undefined ? { ...server, seen } : server);
  }
  for (const [name, { instance, id }] of live) {
    const known = servers.get(name);
    if (known?.instance === instance && known.serverId === id && known.seen === undefined) continue;
    isSame = false;
    servers.set(name, { instance, serverId: id, seen: undefined });
  }
  const excess = vanished.sort(([, a], [, b]) => b - a).slice(limit);
  for (const [name] of excess) servers.delete(name);
  if (!isSame || excess.length > 0) return { servers, seen: nowSeconds };
  settled.set(live, { servers: remembered.servers, limit });
  return { servers: remembered.servers, seen: nowSeconds };
}
