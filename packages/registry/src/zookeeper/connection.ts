import type { ConnectionOptions } from 'node:tls';
import type { ZooKeeperError } from './errors.js';
import type { CreateMode, OpName, Stat, ZkAcl, ZkAuth, ZkPath } from './types.js';

/** What identifies a session to the servers; whoever has both can take it over. */
export interface SessionRef {
  readonly id: bigint;
  readonly password: Buffer;
}

/** One address of one configured host. */
export interface ServerAddress {
  /** As configured: a name, or an IP address without brackets. */
  readonly host: string;
  /** The IP address to dial. */
  readonly address: string;
  readonly port: number;
}

/** Something happened at `path`; the server has forgotten the watch that told us. */
export interface WatchEvent {
  readonly type: 'created' | 'deleted' | 'data' | 'children';
  readonly path: ZkPath;
}

/** Why a connection ended. `protocol`: the other side does not speak ZooKeeper as we know it. */
export interface CloseReason {
  readonly kind: 'remote' | 'protocol' | 'auth-failed' | 'local';
  readonly message: string;
}

export interface DialSpec {
  readonly server: ServerAddress;
  /** The session to resume; undefined asks for a new one. */
  readonly resume: SessionRef | undefined;
  /** Newest transaction seen: a server that knows less refuses us. */
  readonly lastZxid: bigint;
  readonly sessionTimeoutMs: number;
  /** Covers TCP, TLS and ZooKeeper's own handshake. */
  readonly handshakeTimeoutMs: number;
  readonly auth: readonly ZkAuth[];
  readonly tls: ConnectionOptions | undefined;
  onWatch(event: WatchEvent): void;
  /** Called exactly once, and only after a dial that succeeded. */
  onClose(reason: CloseReason): void;
}

export type DialResult =
  | {
      readonly kind: 'connected';
      readonly connection: ZkConnection;
      readonly session: SessionRef;
      /** As the server granted it. */
      readonly sessionTimeoutMs: number;
    }
  | { readonly kind: 'expired' }
  /** `refused`: the server accepted the connection and hung up instead of answering the handshake. */
  | { readonly kind: 'failed'; readonly refused: boolean; readonly message: string };

/** Each operation's input and output. A missing node is `exists`' undefined and everyone else's NoNode. */
export interface Operations {
  readonly create: {
    readonly input: {
      readonly path: ZkPath;
      readonly data: Buffer;
      readonly mode: CreateMode;
      readonly acl?: readonly ZkAcl[] | undefined;
    };
    readonly output: ZkPath;
  };
  readonly delete: {
    readonly input: { readonly path: ZkPath; readonly version: number };
    readonly output: undefined;
  };
  readonly exists: {
    readonly input: { readonly path: ZkPath; readonly watch: boolean };
    readonly output: Stat | undefined;
  };
  readonly getData: {
    readonly input: { readonly path: ZkPath; readonly watch: boolean };
    readonly output: { readonly data: Buffer; readonly stat: Stat };
  };
  readonly setData: {
    readonly input: { readonly path: ZkPath; readonly data: Buffer; readonly version: number };
    readonly output: Stat;
  };
  readonly getChildren: {
    readonly input: { readonly path: ZkPath; readonly watch: boolean };
    readonly output: { readonly children: readonly string[]; readonly stat: Stat };
  };
}
export type OpInput<O extends OpName> = Operations[O]['input'];
export type OpOutput<O extends OpName> = Operations[O]['output'];
/** What one of many nodes answered: its data, or why not. */
export type NodeReading = OpOutput<'getData'> | ZooKeeperError;

/** One TCP connection that carries one session. It never reconnects. */
export interface ZkConnection {
  /** `host:port` for people. */
  readonly server: string;
  readonly lastZxid: bigint;
  /** Monotonic time at which a whole frame last arrived, in milliseconds. */
  readonly lastReceivedAt: number;
  readonly closed: boolean;
  /** True when the protocol's 31-bit request number is about to run out: time for another connection. */
  readonly exhausted: boolean;
  /** Settles exactly once, always, within `timeoutMs`; rejects with a ZooKeeperError. */
  request<O extends OpName>(op: O, input: OpInput<O>, timeoutMs: number): Promise<OpOutput<O>>;
  /**
   * Reads the data of many nodes in one go, in the order of `paths`, and sets a watch on each. What a node's server
   * refuses stands in its place; settles like `request`, and rejects when an answer is missing.
   */
  readData(paths: readonly ZkPath[], timeoutMs: number): Promise<readonly NodeReading[]>;
  /** Asks the server to end the session (its ephemerals go); hangs up after `deadlineMs` at the latest. */
  closeSession(deadlineMs: number): Promise<void>;
  /** Hangs up; the session lives on at the server. */
  destroy(reason: string): void;
}

/** The seam between the session and the wire. */
export interface ZkTransport {
  dial(spec: DialSpec, signal: AbortSignal): Promise<DialResult>;
}
