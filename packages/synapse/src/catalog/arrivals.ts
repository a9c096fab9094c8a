import type { Instance } from '@smartstack/registry';

import { identityOf } from './select.js';
import type { Snapshot } from './types.js';

/** When an instance was told first, and when last otherwise, in milliseconds since the epoch. */
export interface Arrival {
  readonly since: number;
  readonly changedAt: number;
}

/** So many of those that left are remembered for each service. */
const maxDeparted = 100;

/**
 * When the instances of one service came and went. A snapshot whose instances are mostly the same values costs
 * little.
 */
export class Arrivals {
  #told: readonly Instance[] = [];
  readonly #arrivals = new WeakMap<Instance, Arrival>();
  readonly #departed = new Map<string, { readonly instance: Instance; readonly at: number }>();

  /** Takes what is told at `now`, wall clock milliseconds. */
  note(snapshot: Snapshot, now: number): void {
    if (snapshot.status === 'pending' || snapshot.instances === this.#told) return;
    const { instances } = snapshot;
    const kept = new Set(instances);
    const gone = new Map(
      this.#told.filter((one) => !kept.has(one)).map((one) => [identityOf(one), one] as const),
    );
    for (const instance of instances) {
      if (this.#arrivals.has(instance)) continue;
      const identity = identityOf(instance);
      const before = gone.get(identity);
      const since = (before && this.#arrivals.get(before)?.since) ?? now;
      this.#arrivals.set(instance, { since, changedAt: now });
      gone.delete(identity);
      this.#departed.delete(identity);
    }
    for (const [identity, instance] of gone) this.#departed.set(identity, { instance, at: now });
    for (const identity of this.#departed.keys()) {
      if (this.#departed.size <= maxDeparted) break;
      this.#departed.delete(identity);
    }
    this.#told = instances;
  }

  /** Of an instance that is told now. */
  of(instance: Instance): Arrival | undefined {
    return this.#arrivals.get(instance);
  }

  /** Those that left, with the time at which they did, the latest last. */
  get departed(): readonly { readonly instance: Instance; readonly at: number }[] {
    return [...this.#departed.values()];
  }
}
