import { portsOf } from '../desired/bindLines.js';
import type { BeliefStore } from '../loaded/beliefStore.js';
import type { PassResult } from '../runtime/runtimePass.js';
import type { DesiredState } from '../types.js';

/** A process runs of which nobody knows what it loaded. */
export function isLost(results: readonly PassResult[]): boolean {
  return results.some(({ process, isUnknown }) => process !== undefined && isUnknown);
}

/** There are sockets, and nobody answers on any of them. */
export function isNobody(results: readonly PassResult[]): boolean {
  return results.length > 0 && results.every(({ process }) => process === undefined);
}

/** The sections that run, with the servers of now; undefined while nobody runs, or nobody knows what. */
export function runningState(results: readonly PassResult[], beliefs: BeliefStore): DesiredState | undefined {
  const known = results.flatMap(({ socket, process }) =>
    process === undefined ? [] : (beliefs.running(socket, process) ?? []),
  );
  return known[0];
}

/** Ports that every process listens on, by the file that it loaded; undefined when one is not known. */
export function boundPorts(
  results: readonly PassResult[],
  beliefs: BeliefStore,
): ReadonlySet<number> | undefined {
  if (results.length === 0 || results.some(({ isUnknown }) => isUnknown)) return undefined;
  const loaded = results.flatMap(({ socket, process }) =>
    process === undefined ? [] : [beliefs.running(socket, process)],
  );
  return new Set(loaded.flatMap((state) => (state === undefined ? [] : portsOf(state))));
}

/** True when there are processes that answer, and none of them refused anything. */
export function tookAll(results: readonly PassResult[]): boolean {
  return (
    results.length > 0 &&
    results.every(
      ({ process, applied }) =>
        process !== undefined && applied.every(({ outcome }) => outcome.result !== 'failed'),
    )
  );
}
