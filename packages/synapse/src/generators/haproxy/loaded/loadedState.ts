import type { DesiredState } from '../types.js';

/**
 * What to keep as `loaded` before commands are sent: `loaded` with every server that they may add. A crash
 * in the middle then leaves no server in HAProxy that nobody owns, and so nobody would ever remove.
 */
export function withIntended(loaded: DesiredState, desired: DesiredState): DesiredState {
  const wanted = new Map(desired.services.map((sections) => [sections.service, sections.backend]));
  return {
    ...loaded,
    services: loaded.services.map((sections) => {
      const { backend } = sections;
      const target = wanted.get(sections.service);
      if (target === backend || target?.name !== backend.name) return sections;
      const known = new Set(backend.servers.map(({ name }) => name));
      const added = target.servers.filter(({ name }) => !known.has(name));
      return added.length === 0
        ? sections
        : { ...sections, backend: { ...backend, servers: [...backend.servers, ...added] } };
    }),
  };
}
