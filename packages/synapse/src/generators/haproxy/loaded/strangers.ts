import type { DesiredState, ForeignIds, ObservedState } from '../types.js';

/** One running HAProxy, with what of it is ours. */
export interface RunningProcess {
  readonly state: ObservedState;
  /** Undefined while that is not known: then nobody can say who is a stranger. */
  readonly loaded: DesiredState | undefined;
}

/** The ids that servers made by hand have in our backends: HAProxy would refuse another server with one of them. */
export function foreignIds(processes: readonly RunningProcess[]): ForeignIds {
  const foreign = new Map<string, Map<number, string>>();
  for (const { state, loaded } of processes) {
    for (const { backend } of loaded?.services ?? []) {
      const running = state.backends.get(backend.name);
      if (running === undefined) continue;
      const ours = backend.servers.reduce((count, { name }) => count + (running.has(name) ? 1 : 0), 0);
      if (running.size === ours) continue;
      const names = new Set(backend.servers.map(({ name }) => name));
      const ids = foreign.get(backend.name) ?? new Map<number, string>();
      for (const { name, id } of running.values()) if (!names.has(name)) ids.set(id, name);
      foreign.set(backend.name, ids);
    }
  }
  return foreign;
}
