import type { Stat, ZkPath } from './types.js';
import { replyHeaderEnd } from './transportFrames.js';

/** Type of the one request that is sent by the thousands: the library takes five times as long for it. */
export const getDataType = 4;

/** Where a path has an empty part, `.` or `..`, or ends in a slash. */
const notCanonical = /\/\.{0,2}(?:\/|$)/;

/** The request that reads a node's data, as the library queues it: `header` gets its number there. Throws on a path that is none. */
export function getDataRequest(
  path: ZkPath,
  watch: boolean,
): {
  readonly header: { xid: number; readonly type: number };
  toBuffer(): Buffer;
} {
  if (path !== '/' && notCanonical.test(path)) throw new Error('the path is not a path of a node');
  const header = { xid: 0, type: getDataType };
  return {
    header,
    toBuffer: () => {
      const length = Buffer.byteLength(path);
      // Allocated whole, and written whole: length, number, type, path, watch.
      const frame = Buffer.allocUnsafe(17 + length);
      frame.writeInt32BE(13 + length, 0);
      frame.writeInt32BE(header.xid, 4);
      frame.writeInt32BE(getDataType, 8);
      frame.writeInt32BE(length, 12);
      frame.write(path, 16, 'utf8');
      frame.writeUInt8(watch ? 1 : 0, 16 + length);
      return frame;
    },
  };
}

/** Decodes a frame that was checked to be the answer to such a request. The data are a copy: frames share one chunk. */
export function readGetData(frame: Buffer): { readonly data: Buffer; readonly stat: Stat } {
  const start = replyHeaderEnd + 4;
  const end = start + Math.max(0, frame.readInt32BE(replyHeaderEnd));
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
