import type { Server } from '../types.js';

const known = new WeakMap<readonly Server[], ReadonlyMap<string, Server>>();

/** The servers of one list by name. Lists are values: each is put in a table once, however many look something up. */
export function byName(servers: readonly Server[]): ReadonlyMap<string, Server> {
  const before = known.get(servers);
  if (before !== undefined) return before;
  const table = new Map<string, Server>();
  for (const server of servers) table.set(server.name, server);
  known.set(servers, table);
  return table;
}
