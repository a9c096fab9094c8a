import type { Instance } from '@smartstack/registry';

import { type Difference, difference } from './difference.js';
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
  /** Of those that were not there, as they are, from the beginning: they have the time of the first snapshot. */
  readonly #later = new WeakMap<Instance, Arrival>();
  #first: Arrival | undefined;
  readonly #departed = new Map<string, { readonly instance: Instance; readonly at: number }>();

  /** Takes what is told at `now`, wall clock milliseconds. */
  note(snapshot: Snapshot, now: number): void {
    if (snapshot.status === 'pending' || snapshot.instances === this.#told) return;
    const before = this.#told;
    this.#told = snapshot.instances;
    if (this.#first === undefined) this.#first = { since: now, changedAt: now };
    else this.#compare(difference(before, snapshot.instances), now);
  }

  #compare({ gone: left, come }: Difference<Instance>, now: number): void {
    const gone = new Map(left.map((one) => [identityOf(one), one] as const));
    for (const instance of come) {
      const identity = identityOf(instance);
      const old = gone.get(identity);
      this.#later.set(instance, { since: (old && this.of(old)?.since) ?? now, changedAt: now });
      gone.delete(identity);
      this.#departed.delete(identity);
    }
    for (const [identity, instance] of gone) this.#departed.set(identity, { instance, at: now });
    for (const identity of this.#departed.keys()) {
      if (this.#departed.size <= maxDeparted) break;
      this.#departed.delete(identity);
    }
  }

  /** Of an instance that is told now. */
  of(instance: Instance): Arrival | undefined {
    return this.#later.get(instance) ?? this.#first;
  }

  /** Those that left, with the time at which they did, the latest last. */
  get departed(): readonly { readonly instance: Instance; readonly at: number }[] {
    return [...this.#departed.values()];
  }
}
