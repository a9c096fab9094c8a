import type { Clock, Logger, Metrics } from '@smartstack/agent';

import type { BlockIssue, CatalogView, Generator } from '../catalog/types.js';
import type { GeneratorRules } from '../config/serviceReader.js';

/** What a generator may use. */
export interface GeneratorContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** One kind of generator: the rules of its blocks (pure), and its constructor. */
export interface GeneratorKind extends GeneratorRules {
  /** `block` passed `check`. Does nothing yet: IO begins with `run` and `reconcile`. */
  readonly create: (block: unknown, context: GeneratorContext) => Generator;
  /**
   * What it would write for `view`, without any memory; looks up host names, for a bounded time. `block`
   * passed `check`.
   */
  readonly render: (block: unknown, view: CatalogView, clock: Clock) => Promise<Rendered>;
  /**
   * For `--check-config`: what is wrong beyond single blocks, and what `block`, which passed `check`, needs of this
   * machine and does not find. Changes nothing.
   */
  readonly examine?: (block: unknown, view: CatalogView, clock: Clock) => Promise<readonly BlockIssue[]>;
}

/** The text of a file, and one line for each thing that was left out of it. */
export interface Rendered {
  readonly text: string;
  readonly notes: readonly string[];
}

/** Generators by the name of their block. Those of modules are added while a configuration is read. */
export type GeneratorTable = Map<string, GeneratorKind>;
