import type { Stat, ZkPath } from './types.js';
import { replyHeaderEnd } from './transportFrames.js';

/** Type of the one request that is sent by the thousands: the library takes ten times as long for it. */
export const getDataType = 4;

/** Where a path has an empty part, `.` or `..`, or ends in a slash. */
const notCanonical = /\/\.{0,2}(?:\/|$)/;

/** Throws on a path that is none. */
export function assertPath(path: ZkPath): void {
  if (path !== '/' && notCanonical.test(path)) throw new Error('the path is not a path of a node');
}

/** Decodes the checked answer to such a request, at `at` of a frame. The data are a copy: frames share one chunk. */
export function readGetData(
  frame: Buffer,
  at: number = replyHeaderEnd,
): { readonly data: Buffer; readonly stat: Stat } {
  const start = at + 4;
  const end = start + Math.max(0, frame.readInt32BE(at));
  return { data: Buffer.from(frame.subarray(start, end)), stat: readStat(frame, end) };
}

function readStat(frame: Buffer, at: number): Stat {
  return {
    czxid: frame.readBigInt64BE(at),
    mzxid: frame.readBigInt64BE(at + 8),
    ctime: Number(frame.readBigInt64BE(at + 16)),
    mtime: Number(frame.readBigInt64BE(at + 24)),
    version: frame.readInt32BE(at + 32),
    cversion: frame.readInt32BE(at + 36),
    aversion: frame.readInt32BE(at + 40),
    ephemeralOwner: frame.readBigInt64BE(at + 44),
    dataLength: frame.readInt32BE(at + 52),
    numChildren: frame.readInt32BE(at + 56),
    pzxid: frame.readBigInt64BE(at + 60),
  };
}
