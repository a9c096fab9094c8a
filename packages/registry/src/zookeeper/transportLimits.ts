import type { OpInput } from './connection.js';
import type { OpName, ZkErrorKind, ZkPath } from './types.js';

/** jute.maxbuffer of an unconfigured server: it drops the connection of whoever sends more. */
const maxRequestBytes = 0xfffff;
/** Header, length words, flags and an open ACL. */
const overheadBytes = 128;

/** Why a request must not be sent at all, if so. An invalid path is the codec's to find. */
export function requestProblem<O extends OpName>(
  _op: O,
  input: OpInput<O>,
): { readonly kind: ZkErrorKind; readonly message: string } | undefined {
  const { path } = input;
  // The server forbids these code points and closes the connection on some of them.
  if (/[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/.test(path))
    return { kind: 'BadArguments', message: 'the path has characters that ZooKeeper forbids' };
  const data = 'data' in input ? input.data.length : 0;
  const bytes = Buffer.byteLength(path) + data + overheadBytes;
  if (bytes > maxRequestBytes)
    return { kind: 'TooLarge', message: `${bytes} bytes are more than a server takes (${maxRequestBytes})` };
  return undefined;
}

/** Together well within the least that a server takes in one request. */
const maxBulkBytes = 0x40000;

/** Whether so many reads are worth a request of their own kind, and fit into one. */
export function isBulk(paths: readonly ZkPath[]): boolean {
  const bytes = paths.reduce((sum, path) => sum + Buffer.byteLength(path), 0);
  return paths.length > 2 && bytes <= maxBulkBytes;
}
