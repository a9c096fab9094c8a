import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeName, decodeResponse, encodeRequest } from './grpcHealth.js';

const wire = (...message: readonly number[]): Buffer => Buffer.from([0, 0, 0, 0, message.length, ...message]);

describe('the messages of the health service', () => {
  it('ask about a service, or about the server as a whole', () => {
    expect(encodeRequest('')).toEqual(wire());
    expect(encodeRequest('web')).toEqual(wire(0x0a, 3, 0x77, 0x65, 0x62));
    expect(encodeRequest('x'.repeat(200)).subarray(0, 8)).toEqual(
      Buffer.from([0, 0, 0, 0, 203, 0x0a, 0xc8, 0x01]),
    );
  });

  it.each([
    [wire(), 'UNKNOWN'],
    [wire(8, 1), 'SERVING'],
    [wire(8, 2), 'NOT_SERVING'],
    [wire(8, 0x81, 0), 'SERVING'],
    [wire(8, 9), 'status 9'],
    // Fields that nobody knows yet.
    [wire(0x12, 2, 8, 2, 8, 1), 'SERVING'],
    [wire(0x18, 5, 8, 1), 'SERVING'],
  ])('are read', (data, status) => {
    expect(decodeResponse(data)).toBe(status);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a compressed message', Buffer.from([1, 0, 0, 0, 2, 8, 1])],
    ['two messages', Buffer.concat([wire(8, 1), wire(8, 1)])],
    ['half a message', wire(8, 1).subarray(0, 6)],
    ['half a number', wire(8, 0x81)],
    ['a number without end', wire(8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)],
    ['a field of a type that is none', wire(0x0f, 1)],
  ])('are refused when they are %s', (_, data) => {
    expect(() => decodeResponse(data)).toThrow(/^the answer/);
  });

  it('are read or refused, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          expect(decodeResponse(wire(...bytes))).toMatch(/^[A-Z_]+$|^status \d+$/);
        } catch (error) {
          expect(String(error)).toMatch(/^Error: the answer/);
        }
      }),
    );
  });
});

describe('codeName', () => {
  it.each([
    ['0', 'OK'],
    ['12', 'UNIMPLEMENTED'],
    ['77', 'code 77'],
    ['undefined', 'no code'],
    ['1e0', 'no code'],
  ])('calls %s %s', (code, name) => {
    expect(codeName(code)).toBe(name);
  });
});
