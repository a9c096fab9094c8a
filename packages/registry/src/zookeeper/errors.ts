import { AgentError, describeError } from '@smartstack/agent';
import type { OpName, ZkErrorKind, ZkPath, ZooKeeperErrorShape } from './types.js';

export interface ZooKeeperErrorDetails {
  readonly op: OpName;
  readonly path?: ZkPath | undefined;
  readonly applied?: 'no' | 'unknown';
  readonly cause?: unknown;
}

const retriableKinds: ReadonlySet<ZkErrorKind> = new Set([
  'ConnectionLoss',
  'NotConnected',
  'OperationTimeout',
  'SessionExpired',
]);

/** A failed ZooKeeper operation. `code` is `zookeeper.<kind>`. */
export class ZooKeeperError extends AgentError implements ZooKeeperErrorShape {
  readonly kind: ZkErrorKind;
  readonly op: OpName;
  readonly path: ZkPath | undefined;
  readonly applied: 'no' | 'unknown';

  constructor(kind: ZkErrorKind, message: string, details: ZooKeeperErrorDetails) {
    const where = details.path === undefined ? details.op : `${details.op} ${details.path}`;
    super(`zookeeper.${kind}`, `${where}: ${message}`, {
      retriable: retriableKinds.has(kind),
      cause: details.cause,
    });
    this.kind = kind;
    this.op = details.op;
    this.path = details.path;
    this.applied = details.applied ?? 'no';
  }
}

/** True for a ZooKeeperError of one of these kinds (of any kind when none is named). */
export function isZooKeeperError(error: unknown, ...kinds: readonly ZkErrorKind[]): error is ZooKeeperError {
  return error instanceof ZooKeeperError && (kinds.length === 0 || kinds.includes(error.kind));
}

// KeeperException.Code of ZooKeeper 3.8; servers of other versions may send more.
const serverErrors: Readonly<Record<number, readonly [ZkErrorKind, string]>> = {
  [-4]: ['ConnectionLoss', 'the server lost its quorum'],
  [-7]: ['OperationTimeout', 'the server timed out'],
  [-8]: ['BadArguments', 'bad arguments'],
  [-101]: ['NoNode', 'no such node'],
  [-102]: ['NoAuth', 'not permitted'],
  [-103]: ['BadVersion', 'the version differs'],
  [-108]: ['NoChildrenForEphemerals', 'an ephemeral node cannot have children'],
  [-110]: ['NodeExists', 'the node exists'],
  [-111]: ['NotEmpty', 'the node has children'],
  [-112]: ['SessionExpired', 'the session has expired'],
  [-114]: ['BadArguments', 'the access control list is invalid'],
  [-115]: ['AuthFailed', 'authentication failed'],
  [-118]: ['ConnectionLoss', 'the session moved to another connection'],
  [-125]: ['Other', 'a quota is exceeded'],
  [-127]: ['Other', 'the server throttles this operation'],
};

/** The failure behind an error code of a reply; codes that nobody knows become `Other`. */
export function serverError(code: number, details: ZooKeeperErrorDetails): ZooKeeperError {
  const [kind, message] = serverErrors[code] ?? ['Other', 'the server failed'];
  return new ZooKeeperError(kind, `${message} (${code})`, details);
}

/** Why something was not sent, from whatever was thrown on the way. */
export function refusal(error: unknown, details: ZooKeeperErrorDetails): ZooKeeperError {
  return error instanceof ZooKeeperError
    ? error
    : new ZooKeeperError('BadArguments', describeError(error), details);
}
