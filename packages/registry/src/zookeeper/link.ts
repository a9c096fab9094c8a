import type { Clock, Logger } from '@smartstack/agent';
import type { ZkConnection } from './connection.js';
import type { Limiter } from './limiter.js';
import type { ZooKeeperMetrics } from './metrics.js';
import type { SharedNodes } from './sharedNodes.js';
import type { SessionState, ZkPath } from './types.js';
import type { WatchTable } from './watchTable.js';

/** A connection that carries the session now. Whoever awaited something must check that it is still the current one. */
export interface Live {
  readonly connection: ZkConnection;
  /** Grows by one with every new session. */
  readonly epoch: number;
  readonly sessionId: bigint;
}

/** What the reconcilers of one session share. Paths are the servers' own: with the chroot. */
export interface SessionLink {
  /** Undefined while disconnected. */
  readonly live: Live | undefined;
  /** Hears of every connection that is gained (`live`) or lost, and of the session being presumed lost. */
  onChange(listener: (state: SessionState) => void): () => void;
  readonly watches: WatchTable;
  /** Nodes that registrations of this session hold. */
  readonly claims: Set<ZkPath>;
  /** Persistent nodes that registrations of any session hold. */
  readonly shared: SharedNodes;
  /** Bounds the reads of all watchers together. */
  readonly reads: Limiter;
  readonly operationTimeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: ZooKeeperMetrics;
  readonly metricLabels: { readonly ensemble: string };
}

/** Does one change of a registration's node, and tells the metrics how long it took. */
export async function timed<T>(
  { clock, metrics, metricLabels }: SessionLink,
  op: 'create' | 'delete' | 'save',
  parent: string,
  work: () => Promise<T>,
): Promise<T> {
  const started = clock.monotonic();
  try {
    return await work();
  } finally {
    metrics.wrote(op, clock.monotonic() - started, { ...metricLabels, parent });
  }
}
