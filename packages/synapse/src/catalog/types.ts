import type { Instance } from '@smartstack/registry';

import type { TapSource } from '../tap/types.js';
import type { ClientReading, Entrance } from '../topology/types.js';
import type { TrafficView } from '../traffic/types.js';

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
  /** So many that it had before stand in, for its source is empty. */
  readonly previous: number;
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
  /** What the source holds now, entry by entry, for whoever asks why; absent where nobody can tell. */
  entries?(): readonly SourceEntry[];
  /** Of several watchers: from which each instance comes that they told, by its identity; absent where there is one. */
  origins?(): ReadonlyMap<string, string>;
}

/** One entry of a source: what became of it. */
export interface SourceEntry {
  /** The znode's path, for instance. */
  readonly place: string;
  /** When it came to be, and when it changed last, in milliseconds since the epoch by the source's clock. */
  readonly createdAt?: number;
  readonly changedAt?: number;
  /** What it was understood as; with a problem, an earlier version of it. */
  readonly instance?: Instance;
  readonly problem?: string;
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
  readonly outcome: 'noop' | 'runtime' | 'write' | 'reload' | 'start' | 'waiting';
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
  /** What the traffic of its services comes to; absent where nobody counts. */
  readonly traffic?: TrafficView;
  /** Where clients of its services connect to on this host, as far as these are IP addresses. */
  entrances?(): readonly Entrance[];
  /** What the consumer knows of clients of services (those that were called lately) and their sockets do not tell. Never rejects. */
  clients?(active: ReadonlySet<string>, signal: AbortSignal): Promise<ClientReading>;
  /** Where its requests can be looked at; absent where they cannot. */
  readonly tap?: TapSource;
  /** Looks at what has become of services' instances in the consumer, in their order. Changes nothing; never rejects. */
  trace?(subjects: readonly TraceSubject[], signal: AbortSignal): Promise<readonly GeneratorTrace[]>;
  /** What `reconcile` would do for `view`. Changes nothing, and rejects where that cannot be told. */
  plan?(view: CatalogView, signal: AbortSignal): Promise<GeneratorPlan>;
}

/** A service, and the instances that are asked about. */
export interface TraceSubject {
  readonly service: string;
  readonly instances: readonly Instance[];
}

/** One step on the way from the catalog into a consumer, for people. */
export interface TraceStep {
  readonly step: 'desired' | 'loaded' | 'running' | 'tier';
  readonly ok: boolean;
  /** Since when, in milliseconds since the epoch, where that is known. */
  readonly at?: number;
  readonly detail: string;
}

/** What has become of one instance in the consumer. */
export interface ServerTrace {
  /** What the consumer calls it. */
  readonly server: string;
  /** The one that was asked about; undefined for a server that the consumer has of itself. */
  readonly instance?: Instance;
  readonly address?: string;
  /** In a word: `up`, `down`, `maint` … */
  readonly state: string;
  readonly weight?: number;
  /** Undefined where the consumer cannot be asked. */
  readonly takesTraffic: boolean | undefined;
  /** The nearest tier of its service that it is in; absent where it is in none, or there are none. */
  readonly tier?: string;
  /** It would take traffic, but that goes to nearer servers. */
  readonly standsBy?: boolean;
  /** Why its weight is what it is, where that is not its own. */
  readonly note?: string;
  readonly steps: readonly TraceStep[];
}

/** A tier of a service: its servers that are near, at one level. */
export interface TierTrace {
  /** The level: `zone`. */
  readonly tier: string;
  readonly backend: string;
  /** So many servers must take traffic before it is used. */
  readonly minimum: number;
  readonly servers: number;
  readonly serving: number;
  /** Requests go there now. */
  readonly active: boolean;
  /** Why, or why not. */
  readonly reason: string;
}

/** What has become of a service in the consumer. */
export interface GeneratorTrace {
  readonly steps: readonly TraceStep[];
  /** Nearest first; absent where it has none. */
  readonly tiers?: readonly TierTrace[];
  readonly servers: readonly ServerTrace[];
}

/** One change of what runs, in words. */
export interface PlannedCommand {
  readonly kind: string;
  readonly target: string;
  readonly detail: string;
  /** The service whose it is, where several targets are the same server of one: its tiers. */
  readonly service?: string;
}

/** What a reconcile would do, in words for people and programs. */
export interface GeneratorPlan {
  /** Changes of what runs, in order. */
  readonly commands: readonly PlannedCommand[];
  /** Why the consumer would be loaded anew; empty where it would not. */
  readonly reload: readonly { readonly kind: string; readonly detail: string }[];
  /** Files that would be written, with the lines that differ. */
  readonly files: readonly { readonly path: string; readonly changes: readonly string[] }[];
  /** What is left out, held back or in the way. */
  readonly notes: readonly string[];
}

/** An issue of a generator's block: its own, or that of a service. */
export interface Finding extends BlockIssue {
  readonly service?: string;
}

export interface BlockIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** A warning is reported and the block is used all the same. */
  readonly severity: 'error' | 'warning';
}
