import type { Instance } from '@smartstack/registry';
import type { ServerTrace, TraceStep } from '../catalog/types.js';

/** A step, without a time where that is not known. */
export function step(name: TraceStep['step'], ok: boolean, detail: string, at?: number): TraceStep {
  return { step: name, ok, ...(at !== undefined && { at }), detail };
}

/** Where a list is kept short for people. */
const maxShown = 5;

/** The first few of a list, in words. */
export function fewOf(all: readonly string[]): string {
  const more = all.length > maxShown ? ` and ${all.length - maxShown} more` : '';
  return `${all.slice(0, maxShown).join(', ')}${more}`;
}

/** A server of which a file says that it is there; whether it takes traffic, nobody can be asked. */
export function listedServer(
  server: string,
  instance: Instance | undefined,
  steps: readonly TraceStep[],
): ServerTrace {
  const isListed = steps.every(({ ok, step: name }) => ok || name === 'running');
  return {
    server,
    ...(instance && { instance }),
    state: isListed ? 'listed' : 'absent',
    takesTraffic: undefined,
    steps,
  };
}
