import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatOrder, type Order, parseOrder, pruned } from './order.js';

const at = fc.integer({ min: 0, max: 4e12 });
const text = fc.string({ maxLength: 50, unit: 'grapheme' });
const orders: fc.Arbitrary<Order> = fc.record(
  {
    drain: fc.record({ since: at, until: at, reason: text, by: text }, { requiredKeys: ['since'] }),
    weight: fc.record(
      { value: fc.integer({ min: 0, max: 256 }), since: at, by: text },
      { requiredKeys: ['value', 'since'] },
    ),
  },
  { requiredKeys: [] },
);

describe('an order in a file', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(orders, (order) => {
        expect(parseOrder(formatOrder(order), 0)).toEqual({ ok: true, order });
      }),
    );
  });

  it.each(['', ' \n', '{"drain":{}}'])('may be written by hand: %j drains', (content) => {
    expect(parseOrder(content, 7)).toEqual({ ok: true, order: { drain: { since: 7 } } });
  });

  it('takes times with an offset, and keys of a later version', () => {
    const content =
      '{"drain":{"until":"2030-01-01T01:00:00+01:00","reason":"disk","ticket":7},"weight":{"value":0},"x":1}';
    const order = {
      drain: { reason: 'disk', since: 7, until: Date.UTC(2030, 0, 1) },
      weight: { value: 0, since: 7 },
    };
    expect(parseOrder(content, 7)).toEqual({ ok: true, order });
  });

  it.each([
    ['{"drain":', 'JSON'],
    ['[]', 'expected object'],
    ['null', 'expected object'],
    ['\0\0\0', 'JSON'],
    ['{"weight":{"value":257}}', 'weight.value: '],
    ['{"weight":{"value":"1"}}', 'weight.value: '],
    ['{"drain":{"until":"tomorrow"}}', 'drain.until: expected a time'],
    ['{"drain":{"reason":7}}', 'drain.reason: '],
  ])('says what is wrong with %j', (content, problem) => {
    expect(parseOrder(content, 0)).toEqual({
      ok: false,
      problem: expect.stringContaining(problem) as string,
    });
  });

  it('never throws, whatever is in the file', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (content) => {
        expect(typeof parseOrder(content, 0).ok).toBe('boolean');
      }),
    );
  });
});

describe('pruned', () => {
  it('ends a drain at its time, and nothing else', () => {
    const order = { drain: { since: 0, until: 10 }, weight: { value: 1, since: 0 } };
    expect(pruned(order, 9)).toBe(order);
    expect(pruned(order, 10)).toEqual({ weight: { value: 1, since: 0 } });
    const open = { drain: { since: 0 } };
    expect(pruned(open, 1e15)).toBe(open);
  });
});
