import type { BlockIssue, Watcher } from '../catalog/types.js';
import type { Clock, Logger } from '@smartstack/agent';
import type { EtcdWatchPool, SessionLease } from '@smartstack/registry';
import type * as z from 'zod';

import { withLazyOptions } from '../config/lazy.js';
import type { DiscoveryMetrics } from '../metrics.js';
import type { FolderPool } from './files/folderPool.js';
import type { StatsdEvents } from '../statsdEvents.js';

/** What a watcher may use. */
export interface WatcherContext {
  readonly service: string;
  /** Names of the generators that run: the only ones whose blocks a source may carry. */
  readonly generators: readonly string[];
  /** A share of the session with these ZooKeeper hosts; to be released. */
  readonly acquireSession: (hosts: readonly string[]) => SessionLease;
  /** The watcher's snapshots with what its source lost all at once, as the service wishes. */
  readonly protect: (watcher: Watcher) => Watcher;
  /** Whether the last instances of a source that is empty stay (`use_previous_backends`); of now, when called. */
  readonly keepsPrevious?: () => boolean;
  /** Folders of registrations, each looked at once for all. */
  readonly folders: Pick<FolderPool, 'follow'>;
  /** Watches of etcd, which share connections. */
  readonly etcd: Pick<EtcdWatchPool, 'watch'>;
  /** To be called when the source says that something changed, before it is read. Costs little. */
  readonly onEvent?: () => void;
  /** For how long the service is waited for after a start, in milliseconds. */
  readonly patienceMs?: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<DiscoveryMetrics, 'undecodable'>;
  /** Hears what DogStatsD is told of. What goes through `acquireSession`, and bad registrations, it hears by itself. */
  readonly events?: StatsdEvents;
}

/** One discovery method: its options and its constructor, in one place. */
export interface WatcherKind<M extends string, S extends z.ZodObject> {
  readonly method: M;
  /** The keys of `discovery:`. Unknown keys are reported as warnings by the loader, for Ruby ignores them. */
  readonly options: S;
  /** Advice on options that are valid but do not do what they seem to. Paths are relative to `discovery`. */
  readonly lint?: (options: z.output<S>) => readonly BlockIssue[];
  /** What lacks a port: an error where the service has no `backend_port_override`. Paths are relative to `discovery`. */
  readonly portless?: (options: z.output<S>) => readonly BlockIssue[];
  readonly create: (options: z.output<S>, context: WatcherContext) => Watcher;
}

/** Keeps the literal method and the inferred options of a watcher kind, whose schema is made when it is asked for. */
export function defineWatcher<const M extends string, S extends z.ZodObject>(
  kind: Omit<WatcherKind<M, S>, 'options'> & { readonly options: () => S },
): WatcherKind<M, S> {
  return withLazyOptions<S, typeof kind>(kind);
}
