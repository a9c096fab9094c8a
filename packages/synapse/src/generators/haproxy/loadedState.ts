import type { DesiredState, RuntimeCommand, Server, ServiceSections } from './types.js';

function mapServices(
  loaded: DesiredState,
  desired: DesiredState,
  change: (before: ServiceSections, wanted: ReadonlyMap<string, Server>) => readonly Server[],
): DesiredState {
  const wanted = new Map(desired.services.map((sections) => [sections.service, sections.backend]));
  return {
    ...loaded,
    services: loaded.services.map((before) => {
      const backend = wanted.get(before.service);
      if (backend?.name !== before.backend.name) return before;
      const servers = change(before, new Map(backend.servers.map((server) => [server.name, server])));
      return { ...before, backend: { ...before.backend, servers } };
    }),
  };
}

/**
 * What to persist before commands are sent: `loaded` with every server that they may add. A crash in
 * the middle then leaves no server in HAProxy that nobody owns.
 */
export function withIntended(loaded: DesiredState, desired: DesiredState): DesiredState {
  return mapServices(loaded, desired, ({ backend }, wanted) => {
    const known = new Set(backend.servers.map(({ name }) => name));
    return [...backend.servers, ...[...wanted.values()].filter(({ name }) => !known.has(name))];
  });
}

/** What `loaded` is after `commands` succeeded: sections as the file had them, servers as the process has them. */
export function withApplied(
  loaded: DesiredState,
  desired: DesiredState,
  commands: readonly RuntimeCommand[],
): DesiredState {
  const fate = new Map<string, 'added' | 'removed'>();
  for (const { kind, backend, server } of commands) {
    if (kind === 'add-server') fate.set(`${backend}/${server}`, 'added');
    else if (kind === 'remove-server') fate.set(`${backend}/${server}`, 'removed');
  }
  return mapServices(loaded, desired, ({ backend }, wanted) => {
    const servers = new Map(backend.servers.map((server) => [server.name, server]));
    for (const { name } of backend.servers) {
      if (fate.get(`${backend.name}/${name}`) === 'removed') servers.delete(name);
    }
    for (const [name, server] of wanted) {
      if (fate.get(`${backend.name}/${name}`) === 'added') servers.set(name, server);
    }
    return [...servers.values()];
  });
}
