import fc from 'fast-check';
import { expect, it } from 'vitest';
import { byText } from './textOrder.js';

it('texts are in an order of their own, the same in every language', () => {
  expect(['b', 'ä', 'a', 'B', '10', '9', ''].sort(byText)).toEqual(['', '10', '9', 'B', 'a', 'b', 'ä']);
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
      expect([...texts].sort(byText)).toEqual([...texts].sort());
      for (const text of texts) expect(byText(text, text)).toBe(0);
    }),
  );
});
