import type { planServers } from './planServers.js';
import type { Capabilities, ObservedServer, ServiceSections } from '../types.js';

/** All that the plan of one backend follows from. */
export interface PlanInputs {
  readonly desired: ServiceSections;
  readonly loaded: ServiceSections;
  readonly running: ReadonlyMap<string, ObservedServer>;
  readonly defaults: readonly string[];
  readonly capabilities: Capabilities;
  readonly reloading: boolean;
  readonly weights: ReadonlyMap<string, number> | undefined;
}

type Planned = ReturnType<typeof planServers>;

/**
 * Plans of backends for the very same values as before: most services of a pass did not change since the last
 * one. Everything in them is immutable, so that the same values have the same plan. Holds on to nothing.
 */
export class PlanCache {
  readonly #known = new WeakMap<
    PlanInputs['running'],
    { readonly inputs: PlanInputs; readonly planned: Planned }
  >();

  /** The plan for `inputs`: the known one, or what `make` returns. */
  get(inputs: PlanInputs, make: (inputs: PlanInputs) => Planned): Planned {
    const known = this.#known.get(inputs.running);
    if (known !== undefined && isSame(known.inputs, inputs)) return known.planned;
    const planned = make(inputs);
    this.#known.set(inputs.running, { inputs, planned });
    return planned;
  }
}

function isSame(a: PlanInputs, b: PlanInputs): boolean {
  return (
    a.desired === b.desired &&
    a.loaded === b.loaded &&
    a.defaults === b.defaults &&
    a.reloading === b.reloading &&
    a.weights === b.weights &&
    a.capabilities.version === b.capabilities.version
  );
}
