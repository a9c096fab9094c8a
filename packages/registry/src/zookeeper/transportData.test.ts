import { describe, expect, it } from 'vitest';
import { checkLayout, replyHeaderEnd, replyLayouts } from './transportFrames.js';
import { assertPath, getDataType, readGetData } from './transportData.js';

describe('assertPath', () => {
  it.each(['/a//b', '/a/', '/a/./b', '/a/..', '//'] as const)('refuses %s', (path) => {
    expect(() => assertPath(path)).toThrow('not a path');
  });

  it.each(['/', '/a.b/..c', '/a/...', '/.a'] as const)('takes %s', (path) => {
    expect(() => assertPath(path)).not.toThrow();
  });
});

describe('readGetData', () => {
  function frameOf(data: Buffer | undefined): Buffer {
    const frame = Buffer.alloc(replyHeaderEnd + 4 + (data?.length ?? 0) + 68);
    frame.writeInt32BE(data?.length ?? -1, replyHeaderEnd);
    data?.copy(frame, replyHeaderEnd + 4);
    const at = frame.length - 68;
    [1n, 2n, 3n, 4n].forEach((value, index) => frame.writeBigInt64BE(value, at + 8 * index));
    [5, 6, 7].forEach((value, index) => frame.writeInt32BE(value, at + 32 + 4 * index));
    frame.writeBigInt64BE(8n, at + 44);
    frame.writeInt32BE(9, at + 52);
    frame.writeInt32BE(10, at + 56);
    frame.writeBigInt64BE(11n, at + 60);
    return frame;
  }
  const stat = {
    ...{ czxid: 1n, mzxid: 2n, ctime: 3, mtime: 4, version: 5, cversion: 6, aversion: 7 },
    ...{ ephemeralOwner: 8n, dataLength: 9, numChildren: 10, pzxid: 11n },
  };

  it.each([
    ['data', Buffer.from('{"host":"h"}')],
    ['empty data', Buffer.alloc(0)],
  ])('reads %s and the stat', (_what, data) => {
    const frame = frameOf(data);
    checkLayout(frame, replyHeaderEnd, replyLayouts[getDataType] ?? [], 'a reply');
    expect(readGetData(frame)).toEqual({ data, stat });
  });

  it('reads a node without data, and keeps none of the frame', () => {
    expect(readGetData(frameOf(undefined))).toEqual({ data: Buffer.alloc(0), stat });
    const frame = frameOf(Buffer.from('abc'));
    const { data } = readGetData(frame);
    frame.fill(0);
    expect(data.toString()).toBe('abc');
  });
});
