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
 * of it. The same servers as before are the same map. `change` is what may be otherwise than it is remembered.
 */
export function remember(
  remembered: ServiceMemory,
  { live, change }: Pick<BackendServers, 'live' | 'change'>,
  limit: number,
): Remembered {
  const servers = new Map(remembered.servers);
  let isSame = true;
  for (const name of change?.left ?? remembered.servers.keys()) {
    const server = servers.get(name);
    if (server === undefined || server.seen !== undefined || live.has(name)) continue;
    isSame = false;
    servers.set(name, { ...server, seen: remembered.seen });
  }
  for (const name of change?.joined ?? live.keys()) {
    const [server, known] = [live.get(name), servers.get(name)];
    if (server === undefined) continue;
    const { instance, id } = server;
    if (known?.instance === instance && known.serverId === id && known.seen === undefined) continue;
    isSame = false;
    servers.set(name, { instance, serverId: id, seen: undefined });
  }
  const excess = servers.size - live.size - limit;
  if (excess <= 0) return { servers: isSame ? remembered.servers : servers, isWhole: true };
  const vanished = [...servers].flatMap(([name, { seen }]) => (seen === undefined ? [] : [{ name, seen }]));
  for (const { name } of vanished.sort((a, b) => b.seen - a.seen).slice(limit)) servers.delete(name);
  return { servers, isWhole: false };
}
