import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readScalar, type ScalarValue } from './scalar.js';

/** What Psych 4.0.4 itself said (testdata/psych.rb). */
const table = JSON.parse(
  readFileSync(new URL('testdata/psych-scalars.json', import.meta.url), 'utf8'),
) as readonly (readonly [text: string, kind: string, value?: string | boolean])[];

function expected(text: string, kind: string, value: string | boolean | undefined): ScalarValue {
  switch (kind) {
    case 'nil':
      return null;
    case 'bool':
      return value as boolean;
    case 'int': {
      const integer = BigInt(value as string);
      return Number.isSafeInteger(Number(integer)) ? Number(integer) : integer;
    }
    case 'float':
      return Number(value);
    // Symbols, dates, times, and what makes Psych raise: the text as it is.
    default:
      return text;
  }
}

describe('readScalar', () => {
  it.each(table.map(([text, kind, value]) => ({ text, kind, value })))(
    'reads $text as Psych does: $kind',
    ({ text, kind, value }) => {
      const result = readScalar(text);
      // Ruby's Integer has no negative zero.
      expect(Object.is(result, -0) && kind === 'int' ? 0 : result).toBe(expected(text, kind, value));
    },
  );

  it.each([
    ['yes', true],
    ['0777', 511],
    ['12:30', 45_000],
    ['1_000', 1000],
    ['1e3', '1e3'],
    ['2001-01-01', '2001-01-01'],
    ['340282366920938463463374607431768211455', 2n ** 128n - 1n],
  ])('reads the traps: %s', (text, value) => expect(readScalar(text)).toBe(value));

  it('reads every integer as itself', () => {
    fc.assert(
      fc.property(fc.bigInt(), (integer) => BigInt(readScalar(String(integer)) as number) === integer),
    );
  });

  it('takes any text without throwing or hanging', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void readScalar(text)));
    const started = performance.now();
    for (const part of ['1_', '1,', '1:', '0', '_', ' ', 'a', '.', '-', '1.'])
      readScalar(part.repeat(200_000));
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
