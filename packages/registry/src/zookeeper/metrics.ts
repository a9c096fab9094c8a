import type { Counter, Gauge, Metrics } from '@smartstack/agent';

const nothing = { inc: () => undefined, set: () => undefined, remove: () => undefined };

/** What the session layer counts. Declared once per agent, shared by all of its sessions. */
export interface ZooKeeperMetrics {
  /** 1 while connected; label `ensemble`. */
  readonly connected: Gauge;
  /** Sessions started, by `ensemble`. */
  readonly sessions: Counter;
  readonly expired: Counter;
  readonly suspended: Counter;
  /** Dials that led to no session. */
  readonly dialFailures: Counter;
  readonly watchEvents: Counter;
  /** Nodes found changed that no watch had told of. Anything above 0 is a bug, here or in the server. */
  readonly drift: Counter;
  /** Nodes created for registrations. */
  readonly registrations: Counter;
  /** Nodes of registrations that vanished or changed hands while their session lived. */
  readonly registrationsLost: Counter;
  /** Hears how long each change of a registration's node took, in milliseconds. A chroot is part of `parent`. */
  readonly wrote: (
    op: 'create' | 'delete' | 'save',
    elapsedMs: number,
    at: { readonly ensemble: string; readonly parent: string },
  ) => void;
}

/** Declares them all; call it once per agent. */
export function declareZooKeeperMetrics(metrics: Metrics): ZooKeeperMetrics {
  const labels = ['ensemble'];
  const counter = (name: string, help: string): Counter => metrics.counter({ name, help, labels });
  return {
    connected: metrics.gauge({
      name: 'smartstack_zk_connected',
      help: 'Whether the ZooKeeper session is connected.',
      labels,
    }),
    sessions: counter('smartstack_zk_sessions_total', 'ZooKeeper sessions started.'),
    expired: counter('smartstack_zk_session_expired_total', 'ZooKeeper sessions that expired.'),
    suspended: counter('smartstack_zk_suspended_total', 'Times that the connection to ZooKeeper was lost.'),
    dialFailures: counter('smartstack_zk_dial_failures_total', 'Dials to ZooKeeper that led to no session.'),
    watchEvents: counter('smartstack_zk_watch_events_total', 'Watch events received.'),
    drift: counter('smartstack_zk_drift_total', 'Changes that only the periodic re-read noticed.'),
    registrations: counter('smartstack_zk_registrations_total', 'Nodes created for registrations.'),
    registrationsLost: counter(
      'smartstack_zk_registrations_lost_total',
      'Registered nodes that vanished while their session lived.',
    ),
    wrote: () => undefined,
  };
}

/** Counts nothing. */
export const noMetrics: ZooKeeperMetrics = {
  connected: nothing,
  sessions: nothing,
  expired: nothing,
  suspended: nothing,
  dialFailures: nothing,
  watchEvents: nothing,
  drift: nothing,
  registrations: nothing,
  registrationsLost: nothing,
  wrote: () => undefined,
};
