import type { ZkTls } from '../zookeeper/tlsSettings.js';

/** Which etcd, and as whom. */
export interface EtcdSettings {
  /** The members of one cluster, each host:port; the first that answers is used. */
  readonly endpoints: readonly string[];
  /** Undefined: plain HTTP. */
  readonly tls?: ZkTls | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** A file with the password; read whenever a new token is needed. */
  readonly passwordFile?: string | undefined;
}

/** Whether the lease stands. `unreachable`: it may still, but etcd has not answered lately. */
export type LeaseState =
  | { readonly kind: 'connecting' | 'unreachable'; readonly since: number; readonly error?: string }
  | { readonly kind: 'held'; readonly since: number };
