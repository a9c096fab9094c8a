import type { AgentError } from '@smartstack/agent';
import type { ZkTls } from './tlsSettings.js';

export type ZkPath = `/${string}`;
export type Zxid = bigint;

/** `applied: 'unknown'` means that the server may or may not have carried the operation out. */
export interface ZooKeeperErrorShape extends AgentError {
  readonly kind: ZkErrorKind;
  readonly op: OpName;
  readonly path: ZkPath | undefined;
  readonly applied: 'no' | 'unknown';
}

export type ZkErrorKind =
  | 'ConnectionLoss'
  | 'NotConnected'
  | 'OperationTimeout'
  | 'SessionExpired'
  | 'AuthFailed'
  | 'NoNode'
  | 'NodeExists'
  | 'NoAuth'
  | 'BadVersion'
  | 'NotEmpty'
  | 'NoChildrenForEphemerals'
  | 'BadArguments'
  | 'TooLarge'
  | 'Closed'
  | 'Protocol'
  | 'Other';

export type OpName = 'create' | 'delete' | 'exists' | 'getData' | 'setData' | 'getChildren';
export type CreateMode = 'persistent' | 'persistent_sequential' | 'ephemeral' | 'ephemeral_sequential';

export interface Stat {
  readonly czxid: Zxid;
  readonly mzxid: Zxid;
  readonly pzxid: Zxid;
  /** Milliseconds since the epoch, by the server's clock. */
  readonly ctime: number;
  readonly mtime: number;
  readonly version: number;
  readonly cversion: number;
  readonly aversion: number;
  /** Session id of the owner; 0n for a persistent node. */
  readonly ephemeralOwner: bigint;
  readonly dataLength: number;
  readonly numChildren: number;
}

export interface ZkAuth {
  readonly scheme: string;
  readonly data: Buffer;
}

/** One entry of a node's access control list. */
export interface ZkAcl {
  /** Any of r, w, c, d, a; `cdrwa` is everything. */
  readonly permissions: string;
  readonly scheme: string;
  readonly id: string;
}

/** States of a session as its users see them. `suspended`: disconnected, but the session may still live. */
export type SessionState =
  | { readonly kind: 'connecting'; readonly attempt: number; readonly since: number }
  | {
      readonly kind: 'connected';
      /** Grows by one with every new session (not with every reconnect). */
      readonly epoch: number;
      readonly sessionId: bigint;
      readonly server: string;
      readonly since: number;
    }
  | { readonly kind: 'suspended'; readonly epoch: number; readonly since: number; readonly reason: string }
  | {
      readonly kind: 'presumed-lost';
      readonly epoch: number;
      readonly since: number;
      readonly reason: string;
    }
  | { readonly kind: 'auth-failed'; readonly since: number }
  | { readonly kind: 'closed'; readonly since: number };

export interface OpOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What a registration wants in the registry: a node, or (undefined) nothing. */
export interface RegistrationNode {
  /** Node name without the sequence number that ZooKeeper appends for sequential modes, e.g. `i-0abc_`. */
  readonly name: string;
  readonly data: Buffer;
}

export interface RegistrationSpec {
  /** Created with all its parents (persistent, open ACL) when the registration first wants to exist. */
  readonly parent: ZkPath;
  readonly mode: CreateMode;
  readonly acl?: readonly ZkAcl[];
  /**
   * Tells the nodes that an earlier process of ours may have left below `parent`. They are deleted when nothing is
   * wanted for the first time, and those that no session's end deletes also when something is.
   */
  readonly leftBehind?: LeftBehind;
}

/** Recognises the nodes that an earlier process of ours has left. Both have to say so. */
export interface LeftBehind {
  /** By a child's name, its sequence number included. */
  readonly name: (child: string) => boolean;
  /** By the data of such a child. */
  readonly data: (data: Buffer) => boolean;
}

export type RegistrationState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'pending'; readonly since: number; readonly error?: string }
  | { readonly kind: 'present'; readonly path: ZkPath; readonly since: number };

/**
 * Keeps one node of the registry as wanted, whatever the session goes through: exactly one node of
 * the current session while wanted, none otherwise. Data that changes is written in place; a name
 * that changes is created before the old node is deleted.
 */
export interface RegistrationHandle {
  readonly state: RegistrationState;
  /** Sets what should exist. Returns at once; the reconciler does the rest and never gives up. */
  want(node: RegistrationNode | undefined): void;
  /** Resolves when the registry holds what is wanted now; rejects when `signal` aborts. */
  settled(signal: AbortSignal): Promise<void>;
  onState(listener: (state: RegistrationState) => void): () => void;
  /** Rewrites the data of a present persistent node (Ruby's `ttl_seconds` renewal). No-op when absent. */
  touch(): Promise<void>;
  /** Stops reconciling. Does not delete: call `want(undefined)` and await `settled` first. */
  dispose(): void;
}

export type ChildResult =
  | { readonly kind: 'data'; readonly data: Buffer; readonly stat: Stat }
  /** Not read, because `skipChildData` said that its name tells everything. */
  | { readonly kind: 'skipped' }
  /** This child could not be read (for instance NoAuth). Never the reason to drop the others. */
  | { readonly kind: 'error'; readonly error: Error };

export interface ChildrenSnapshot {
  /** False when the parent does not exist (then there are no children). */
  readonly exists: boolean;
  /** The parent's own data. */
  readonly data: Buffer;
  /** In the order in which ZooKeeper listed them: Ruby's server ids follow it. */
  readonly children: ReadonlyMap<string, ChildResult>;
}

export interface ChildrenWatchOptions {
  /** Called with each complete reading that differs from the one before. Never called with partial knowledge. */
  readonly onSnapshot: (snapshot: ChildrenSnapshot) => void;
  /** `stale` from the moment the connection is lost until everything was read again on a new one. */
  readonly onFreshness?: (freshness: 'live' | 'stale') => void;
  /** Called when the registry says that something changed, before it is read: a snapshot may follow. */
  readonly onEvent?: () => void;
  readonly skipChildData?: (name: string) => boolean;
  /** Upper bound of the random delay before reading after an event, in milliseconds (Ruby's discovery_jitter). Default 0. */
  readonly jitterMs?: number;
}

export interface ChildrenWatch {
  readonly last: ChildrenSnapshot | undefined;
  readonly freshness: 'never' | 'live' | 'stale';
  dispose(): void;
}

/**
 * A ZooKeeper session that outlives connections, servers and its own expiry. Never gives up until
 * closed; nothing it does can end the process.
 */
export interface ZkSession {
  readonly state: SessionState;
  onState(listener: (now: SessionState, before: SessionState) => void): () => void;
  exists(path: ZkPath, options?: OpOptions): Promise<Stat | undefined>;
  getData(path: ZkPath, options?: OpOptions): Promise<{ readonly data: Buffer; readonly stat: Stat }>;
  getChildren(
    path: ZkPath,
    options?: OpOptions,
  ): Promise<{ readonly children: readonly string[]; readonly stat: Stat }>;
  create(
    path: ZkPath,
    data: Buffer,
    mode: CreateMode,
    options?: OpOptions & { readonly acl?: readonly ZkAcl[] },
  ): Promise<ZkPath>;
  setData(path: ZkPath, data: Buffer, version: number, options?: OpOptions): Promise<Stat>;
  delete(path: ZkPath, version: number, options?: OpOptions): Promise<void>;
  /** Creates `path` and its missing parents, persistent and open. */
  mkdirp(path: ZkPath, options?: OpOptions): Promise<void>;
  register(spec: RegistrationSpec): RegistrationHandle;
  watchChildren(path: ZkPath, options: ChildrenWatchOptions): ChildrenWatch;
  /** Ends the session politely (its ephemerals go) within `deadlineMs`, rudely after. Never throws. */
  close(options?: { readonly deadlineMs?: number }): Promise<void>;
}

/** Options of `openSession(options)`, which returns at once with a session that is connecting. */
export interface SessionOptions {
  /** `host:port`, each tried in random order. The last may carry a chroot: `b:2181/smartstack`. */
  readonly hosts: readonly string[];
  readonly sessionTimeoutMs: number;
  readonly auth?: readonly ZkAuth[];
  /** A file with one more, as `digest:user:password`. Like those of `tls`, it is read anew for each connection. */
  readonly authFile?: string;
  readonly tls?: ZkTls;
}
