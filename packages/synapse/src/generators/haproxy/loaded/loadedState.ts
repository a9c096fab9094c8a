import { byName } from '../desired/byName.js';
import { Counterparts } from '../plan/counterparts.js';
import type { DesiredState, Server } from '../types.js';

/**
 * What to keep as `loaded` before commands are sent: `loaded` with every server that they may add. A crash in the
 * middle then leaves no server in HAProxy that nobody owns, and so nobody would ever remove. `adding` are the
 * servers that the commands add, by backend: of those that are replaced nobody knows then which one runs.
 */
export function withIntended(
  loaded: DesiredState,
  desired: DesiredState,
  adding: ReadonlyMap<string, ReadonlySet<string>>,
): DesiredState {
  const wanted = new Counterparts(desired);
  return {
    ...loaded,
    services: loaded.services.map((sections, index) => {
      const { backend } = sections;
      const target = wanted.of(sections.service, index)?.backend;
      if (target === backend || target?.name !== backend.name) return sections;
      const known = byName(backend.servers);
      const added = target.servers.filter(({ name }) => !known.has(name));
      const replaced = new Set([...(adding.get(backend.name) ?? [])].filter((name) => known.has(name)));
      if (added.length + replaced.size === 0) return sections;
      const unconfirmed = (server: Server): Server =>
        replaced.has(server.name) ? { ...server, unconfirmed: true } : server;
      const before = replaced.size === 0 ? backend.servers : backend.servers.map(unconfirmed);
      return { ...sections, backend: { ...backend, servers: [...before, ...added] } };
    }),
  };
}
