import type { Stat, ZkPath } from './types.js';
import { numbersOf, replyHeaderEnd } from './transportFrames.js';

/** Type of the one request that is sent by the thousands: the library takes ten times as long for it. */
export const getDataType = 4;

/** And of that of which each path that is followed needs one. */
export const getChildrenType = 12;

/** Where a path has an empty part, `.` or `..`, or ends in a slash. */
const notCanonical = /\/\.{0,2}(?:\/|$)/;

/** Throws on a path that is none. */
export function assertPath(path: ZkPath): void {
  if (path !== '/' && notCanonical.test(path)) throw new Error('the path is not a path of a node');
}

/**
 * Decodes the checked answer to such a request, at `at` of a frame, of which `numbers` are the bytes. The data are a
 * copy: frames share one chunk.
 */
export function readGetData(
  frame: Buffer,
  at: number = replyHeaderEnd,
  numbers: DataView = numbersOf(frame),
): { readonly data: Buffer; readonly stat: Stat } {
  const start = at + 4;
  const end = start + Math.max(0, numbers.getInt32(at));
  return { data: Buffer.from(frame.subarray(start, end)), stat: readStat(numbers, end) };
}

/** Decodes the checked answer to a request for the names of a node's children. */
export function readGetChildren(frame: Buffer): {
  readonly children: readonly string[];
  readonly stat: Stat;
} {
  const numbers = numbersOf(frame);
  const children: string[] = [];
  let at = replyHeaderEnd + 4;
  for (let left = numbers.getInt32(replyHeaderEnd); left > 0; left -= 1) {
    const start = at + 4;
    at = start + Math.max(0, numbers.getInt32(at));
    children.push(frame.toString('utf8', start, at));
  }
  return { children, stat: readStat(numbers, at) };
}

/** Milliseconds since 1970: a long that no number is too small for. */
function readTime(frame: DataView, at: number): number {
  return frame.getInt32(at) * 2 ** 32 + frame.getUint32(at + 4);
}

function readStat(frame: DataView, at: number): Stat {
  return {
    czxid: frame.getBigInt64(at),
    mzxid: frame.getBigInt64(at + 8),
    ctime: readTime(frame, at + 16),
    mtime: readTime(frame, at + 24),
    version: frame.getInt32(at + 32),
    cversion: frame.getInt32(at + 36),
    aversion: frame.getInt32(at + 40),
    ephemeralOwner: frame.getBigInt64(at + 44),
    dataLength: frame.getInt32(at + 52),
    numChildren: frame.getInt32(at + 56),
    pzxid: frame.getBigInt64(at + 60),
  };
}
