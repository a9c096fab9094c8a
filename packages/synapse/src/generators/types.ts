import type { Clock, Logger, Metrics } from '@smartstack/agent';

import type { Location } from '../catalog/locality.js';
import type { BlockIssue, CatalogView, Generator } from '../catalog/types.js';
import type { GeneratorRules } from '../config/serviceReader.js';
import type { StatsdEvents } from '../statsdEvents.js';

/** What a generator may use. */
export interface GeneratorContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Where this host is; absent where nobody said. */
  readonly location?: Location;
  /** Hears what DogStatsD is told of. */
  readonly events?: Pick<StatsdEvents, 'haproxyChecked' | 'haproxyReloadFailed'>;
}

/** One kind of generator: the rules of its blocks (pure), and its constructor. */
export interface GeneratorKind extends GeneratorRules {
  /** `block` passed `check`. Does nothing yet: IO begins with `run` and `reconcile`. */
  readonly create: (block: unknown, context: GeneratorContext) => Generator;
  /**
   * What it would write for `view`, without any memory; looks up host names, for a bounded time. `block`
   * passed `check`.
   */
  readonly render: (
    block: unknown,
    view: CatalogView,
    clock: Clock,
    location?: Location,
  ) => Promise<Rendered>;
  /**
   * For `--check-config`: what is wrong beyond single blocks, and what `block`, which passed `check`, needs of this
   * machine and does not find. Changes nothing.
   */
  readonly examine?: (
    block: unknown,
    view: CatalogView,
    clock: Clock,
    location?: Location,
  ) => Promise<readonly BlockIssue[]>;
}

/** The text of a file, and one line for each thing that was left out of it. */
export interface Rendered {
  readonly text: string;
  readonly notes: readonly string[];
}

/** Generators by the name of their block. */
export type GeneratorTable = ReadonlyMap<string, GeneratorKind>;
