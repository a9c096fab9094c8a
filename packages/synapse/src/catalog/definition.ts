import type { Instance, Json } from '@smartstack/registry';

import type { GeneratorBlocks } from './types.js';

/** Keeps (`equals`) or drops (`not-equals`) the instances whose label has this value. A label that is absent is null. */
export interface LabelFilter {
  readonly label: string;
  readonly value: Json;
  readonly condition: 'equals' | 'not-equals';
}

/** What the catalog has to know of a service to turn its snapshots into a view. */
export interface CatalogRules {
  /** Stand in while the source is empty, and while nothing is known yet. */
  readonly defaultServers: readonly Instance[];
  /** Adds the default servers to whatever was discovered. */
  readonly keepDefaultServers: boolean;
  /** An empty source keeps the last known instances, unless there are default servers. */
  readonly usePreviousBackends: boolean;
  /** Replaces the port of every discovered instance. */
  readonly backendPortOverride?: number;
  /** Only the instance with the smallest id serves. */
  readonly leaderElection: boolean;
  /** All of them have to agree. */
  readonly labelFilters: readonly LabelFilter[];
  /** Generator blocks of the configuration; the source's own are laid over them. */
  readonly blocks: GeneratorBlocks;
}
