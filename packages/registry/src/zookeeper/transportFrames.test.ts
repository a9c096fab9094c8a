import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkLayout,
  connectResponseLayout,
  FrameReader,
  ProtocolError,
  replyHeaderEnd,
  replyLayouts,
} from './transportFrames.js';

function frame(body: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeInt32BE(body.length);
  return Buffer.concat([head, body]);
}

describe('FrameReader', () => {
  it('finds the same frames however the stream is cut up', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 50 }),
        (bodies, cuts) => {
          const frames = bodies.map(frame);
          const stream = Buffer.concat(frames);
          const reader = new FrameReader();
          const found: Buffer[] = [];
          for (let at = 0, i = 0; at < stream.length; i += 1) {
            const length = cuts[i % cuts.length] ?? 1;
            reader.push(stream.subarray(at, at + length), (one) => found.push(Buffer.from(one)));
            at += length;
          }
          expect(found).toEqual(frames);
        },
      ),
    );
  });

  it('takes a large frame in small chunks without copying it over and over', () => {
    const big = frame(Buffer.alloc(8_000_000, 1));
    const reader = new FrameReader();
    let found = 0;
    const start = performance.now();
    for (let at = 0; at < big.length; at += 1_000)
      reader.push(big.subarray(at, at + 1_000), () => (found += 1));
    expect(found).toBe(1);
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it.each([[-1], [-100], [0x7fffffff], [256 * 1024 * 1024 + 1]])('refuses a length of %i', (length) => {
    const head = Buffer.alloc(4);
    head.writeInt32BE(length);
    expect(() => new FrameReader().push(head, () => undefined)).toThrow(ProtocolError);
  });
});

describe('checkLayout', () => {
  const layouts = [...Object.values(replyLayouts), connectResponseLayout];

  it('never throws anything else, and never lets a field reach beyond the frame', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...layouts), (bytes, layout) => {
        try {
          checkLayout(Buffer.from(bytes), 0, layout, 'it');
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });

  it('is not fooled into a long loop by a huge count', () => {
    const bytes = Buffer.alloc(100);
    bytes.writeInt32BE(0x7fffffff);
    const start = performance.now();
    expect(() => checkLayout(bytes, 0, ['strings'], 'it')).toThrow('it is cut short or malformed (strings)');
    expect(performance.now() - start).toBeLessThan(100);
  });

  it('accepts null strings and buffers, and bytes to spare', () => {
    const bytes = Buffer.alloc(replyHeaderEnd + 4 + 68 + 10);
    bytes.writeInt32BE(-1, replyHeaderEnd);
    expect(() => checkLayout(bytes, replyHeaderEnd, replyLayouts[4] ?? [], 'it')).not.toThrow();
  });
});
