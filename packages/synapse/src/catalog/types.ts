import type { Instance } from '@smartstack/registry';

/** Generator blocks (`haproxy:`, `file_output:` …) of one service, as read; each generator validates its own. */
export type GeneratorBlocks = Readonly<Record<string, unknown>>;

/** Something in a source that cannot be used as it is; the rest of the source is not affected. */
export interface SourceProblem {
  /** Where it stands in the source: the znode's path. */
  readonly path: string;
  readonly reason: string;
}

/** One of several watchers of a service, for the status. */
export interface SnapshotPart {
  readonly name: string;
  readonly status: Snapshot['status'];
  readonly instances: number;
  /** Its instances are among those of the service. */
  readonly used: boolean;
}

/** Everything one watcher knows now. `pending` is absence of knowledge, not an empty list. */
export type Snapshot =
  | { readonly status: 'pending'; readonly parts?: readonly SnapshotPart[] }
  | {
      /** `stale`: the source is lost; these are the last instances it told us. */
      readonly status: 'live' | 'stale';
      readonly instances: readonly Instance[];
      /** Generator blocks that the source itself carries (data of the service's znode). */
      readonly generatorConfig?: GeneratorBlocks;
      /** What is wrong in the source now, for the status; absent when nothing is. */
      readonly problems?: readonly SourceProblem[];
      /** The watchers that it was made of; absent when it comes from one. */
      readonly parts?: readonly SnapshotPart[];
    };

/** A source of snapshots for one service. */
export interface Watcher {
  /** Emits full snapshots until `signal` aborts. Survives everything its source does; a lost source is `stale`. */
  run(emit: (snapshot: Snapshot) => void, signal: AbortSignal): Promise<void>;
}

/** Where the instances of a ServiceView come from. */
export type ViewSource =
  /** Nothing is known yet (start-up). Generators keep what they remember of the service. */
  | 'pending'
  | 'live'
  | 'stale'
  /** The source is live but empty; `default_servers` stand in. */
  | 'default'
  /** The source is live but empty; the last known instances stay (`use_previous_backends`). */
  | 'previous';

/** One service as generators see it: resolved, filtered, with its fallback applied. Pure value. */
export interface ServiceView {
  readonly name: string;
  readonly source: ViewSource;
  readonly instances: readonly Instance[];
  readonly blocks: GeneratorBlocks;
}

/** All services, in the order of the configuration. */
export interface CatalogView {
  readonly services: readonly ServiceView[];
  /** Services that exist, but whose definition has errors: generators leave what they have of them. */
  readonly unreadable?: readonly string[];
}

/** What one reconcile did; for metrics, status and logs. */
export interface ReconcileOutcome {
  readonly outcome: 'noop' | 'runtime' | 'reload' | 'start' | 'waiting';
  /** Set when the generator wants to be called again without a new event (rate limit, retry). Milliseconds. */
  readonly againInMs?: number;
}

/** Turns the catalog into a consumer's configuration. */
export interface Generator {
  readonly name: string;
  /** Background work (supervising a process, noticing that it was replaced); `wake` asks for a reconcile. */
  run(wake: () => void, signal: AbortSignal): Promise<void>;
  /** A view is likely to change within milliseconds. Returns at once. */
  expect?(): void;
  /** Brings the consumer in step with `view`. Never called concurrently. Throws when it could not; the loop backs off. */
  reconcile(view: CatalogView, signal: AbortSignal): Promise<ReconcileOutcome>;
  /** Takes a new top-level block after a configuration reload; already validated. */
  configure(block: unknown): void;
  /** Problems found in a service's block, for `--check-config`; empty when fine. Paths are relative to the block. */
  checkBlock(service: string, block: unknown): readonly BlockIssue[];
  /** JSON for `/status`. */
  status(): unknown;
}

export interface BlockIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** A warning is reported and the block is used all the same. */
  readonly severity: 'error' | 'warning';
}
