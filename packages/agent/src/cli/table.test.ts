import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { age, cut, plainText, table } from './table.js';

describe('table', () => {
  it('aligns columns, and says - where there is nothing', () => {
    expect(table(['A', 'LONGER'], [['abc', ''], ['d'], ['', 'x', 'beyond']])).toEqual([
      'A    LONGER',
      'abc  -',
      'd    -',
      '-    x',
    ]);
  });

  it('is one line a row and no wider than the terminal, whatever the cells say', () => {
    const cell = fc.string({ unit: 'binary', maxLength: 60 });
    const rows = fc.array(fc.array(cell, { maxLength: 4 }), { maxLength: 5 });
    fc.assert(
      fc.property(rows, fc.integer({ min: 20, max: 100 }), (all, width) => {
        const lines = table(['ONE', 'TWO', 'THREE'], all, width);
        expect(lines).toHaveLength(all.length + 1);
        for (const line of lines) {
          expect(line.length).toBeLessThanOrEqual(width);
          // Nothing that moves the cursor, colours, breaks the line or turns the direction.
          expect(line).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
        }
      }),
    );
  });
});

describe('plainText', () => {
  it('takes commands to terminals out', () => {
    expect(plainText('\x1b[31mred\x1b[0m\r\nnext\u202e\u009b2J')).toBe('[31mred [0m next 2J');
  });
});

describe('age', () => {
  it.each([
    [-5_000, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [3_599_000, '59m'],
    [3_600_000, '1h'],
    [11_100_000, '3h5m'],
    [86_400_000, '1d'],
    [187_200_000, '2d4h'],
  ])('writes %d ms as %s', (ms, text) => {
    expect(age(ms)).toBe(text);
  });
});

describe('cut', () => {
  it('cuts only where it is known how wide the terminal is', () => {
    const long = 'x'.repeat(50);
    expect(cut(long, undefined)).toBe(long);
    expect(cut(long, 0)).toBe(long);
    expect(cut(long, 50)).toBe(long);
    expect(cut(long, 30)).toBe(`${'x'.repeat(29)}…`);
  });
});
