import type { ServiceMemory } from './memory.js';
import type { BackendServers } from './servers.js';

/** What is remembered of a service's servers. */
export interface Remembered {
  readonly servers: ServiceMemory['servers'];
  /** Nothing was forgotten for want of room: what is there now adds nothing to it any more. */
  readonly isWhole: boolean;
}

/**
 * Adds what was discovered now to what is remembered; what was not stays with its older time, the newest `limit`
 * of it. The same servers as before are the same map.
 */
export function remember(remembered: ServiceMemory, live: BackendServers['live'], limit: number): Remembered {
  const servers = new Map(remembered.servers);
  const vanished: [name: string, seen: number][] = [];
  let isSame = true;
  for (const [name, server] of remembered.servers) {
    if (live.has(name)) continue;
    const seen = server.seen ?? remembered.seen;
    vanished.push([name, seen]);
    if (server.seen !== undefined) continue;
    isSame = false;
    servers.set(name, { ...server, seen });
  }
  for (const [name, { instance, id }] of live) {
    const known = servers.get(name);
    if (known?.instance === instance && known.serverId === id && known.seen === undefined) continue;
    isSame = false;
    servers.set(name, { instance, serverId: id, seen: undefined });
  }
  const excess = vanished.length <= limit ? [] : vanished.sort(([, a], [, b]) => b - a).slice(limit);
  for (const [name] of excess) servers.delete(name);
  const isWhole = excess.length === 0;
  return { servers: isSame && isWhole ? remembered.servers : servers, isWhole };
}
