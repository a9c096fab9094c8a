import { byName } from '../desired/byName.js';
import { outlineOf } from '../desired/outline.js';
import { runningIn } from '../plan/running.js';
import type { Backend, DesiredState, ForeignIds, ObservedServer, ObservedState } from '../types.js';

/** One running HAProxy, with what of it is ours. */
export interface RunningProcess {
  readonly state: ObservedState;
  /** Undefined while that is not known: then nobody can say who is a stranger. */
  readonly loaded: DesiredState | undefined;
}

type Running = ReadonlyMap<string, ObservedServer>;

/** Of a backend that runs as it did, with the servers that were ours, the answer is the same. */
const known = new WeakMap<Running, { readonly backend: Backend; readonly ids: Ids }>();
type Ids = ReadonlyMap<number, string> | undefined;

function strangersIn(backend: Backend, running: Running): Ids {
  const before = known.get(running);
  if (before?.backend === backend) return before.ids;
  const ours = byName(backend.servers);
  let strangers: Map<number, string> | undefined;
  for (const [name, { id }] of running)
    if (!ours.has(name)) strangers = (strangers ?? new Map<number, string>()).set(id, name);
  known.set(running, { backend, ids: strangers });
  return strangers;
}

/** The ids that servers made by hand have in our backends: HAProxy would refuse another server with one of them. */
export function foreignIds(processes: readonly RunningProcess[]): ForeignIds {
  const foreign = new Map<string, ReadonlyMap<number, string>>();
  for (const { state, loaded } of processes) {
    if (loaded === undefined) continue;
    const running = runningIn(state.backends, outlineOf(loaded.services));
    for (const [index, { backend }] of loaded.services.entries()) {
      const runs = running[index];
      const ids = runs === undefined ? undefined : strangersIn(backend, runs);
      if (ids === undefined) continue;
      const others = foreign.get(backend.name);
      foreign.set(backend.name, others === undefined ? ids : new Map([...others, ...ids]));
    }
  }
  return foreign;
}
