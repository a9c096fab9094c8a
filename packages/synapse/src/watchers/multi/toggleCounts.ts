import { isDeepStrictEqual } from 'node:util';

import type { Weights } from '../../resolvers/types.js';
import { chooseByWeight } from '../../resolvers/weights.js';
import type { StatsdEvents } from '../../statsdEvents.js';

/** What became of each look at the weights in S3, as Ruby's synapse counts it. */
export class ToggleCounts {
  readonly #watchers: readonly string[];
  readonly #seed: string;
  readonly #events: Pick<StatsdEvents, 'resolverSwitched' | 'weightsFailed'>;
  /** Those by which somebody was chosen last. */
  #before: Weights | undefined;

  constructor(
    watchers: readonly string[],
    seed: string,
    events: Pick<StatsdEvents, 'resolverSwitched' | 'weightsFailed'>,
  ) {
    this.#watchers = watchers;
    this.#seed = seed;
    this.#events = events;
  }

  /** Nothing was got, or it cannot be understood; `reason` where that is more than its meaning. */
  failed(reason?: 's3_error' | 'parse_error'): void {
    if (reason !== undefined) this.#events.weightsFailed(reason);
    // Ruby looks at what it did not get as well.
    this.#events.weightsFailed('invalid_schema');
    this.#events.resolverSwitched('s3_toggle', { failed: 'nil_weights' });
  }

  read(weights: Weights): void {
    const tell = (outcome: Parameters<StatsdEvents['resolverSwitched']>[1]): void =>
      this.#events.resolverSwitched('s3_toggle', outcome);
    if (this.#before !== undefined && isDeepStrictEqual(weights, this.#before)) {
      tell('skip');
      return;
    }
    const chosen = chooseByWeight(weights, this.#seed);
    if (chosen === undefined) {
      tell({ failed: 'zero_sum' });
      tell({ failed: 'no_choice' });
      return;
    }
    this.#before = weights;
    if (!this.#watchers.includes(chosen)) tell({ failed: 'unknown_watcher' });
    const known = new Map([...weights].filter(([name]) => this.#watchers.includes(name)));
    const watcher = chooseByWeight(known, this.#seed);
    if (watcher !== undefined) tell({ watcher });
  }
}
