import type { AppliedCommand } from '../runtime/apply.js';
import { serverKey } from '../runtime/apply.js';
import type { Backend, DesiredState, Server } from '../types.js';

/**
 * What runs after commands: the sections that were loaded, with the servers that the commands made of them.
 * A server whose command did not succeed stays as it was, so that the next plan sees the difference again.
 */
export function advanceLoaded(
  loaded: DesiredState,
  desired: DesiredState,
  applied: readonly AppliedCommand[],
): DesiredState {
  if (applied.length === 0) return loaded;
  const done = new Map<string, boolean>();
  const touched = new Set<string>();
  for (const { command, outcome } of applied) {
    touched.add(command.backend);
    const key = serverKey(command);
    done.set(key, (done.get(key) ?? true) && outcome.result === 'done');
  }
  const wanted = new Map(desired.services.map(({ backend }) => [backend.name, backend]));
  const advance = (backend: Backend): Backend => {
    const target = wanted.get(backend.name);
    const servers = new Map<string, Server>(backend.servers.map((server) => [server.name, server]));
    const after = new Map(target?.servers.map((server) => [server.name, server]));
    for (const name of new Set([...servers.keys(), ...after.keys()])) {
      if (done.get(`${backend.name}/${name}`) !== true) continue;
      const server = after.get(name);
      if (server === undefined) servers.delete(name);
      else servers.set(name, server);
    }
    return { ...backend, servers: [...servers.values()] };
  };
  return {
    ...loaded,
    services: loaded.services.map((each) =>
      touched.has(each.backend.name) ? { ...each, backend: advance(each.backend) } : each,
    ),
  };
}
