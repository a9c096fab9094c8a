import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rubyJson } from './rubyJson.js';

/** What Ruby's own to_json wrote (testdata/ruby.rb). */
const table = JSON.parse(
  readFileSync(new URL('testdata/ruby-json.json', import.meta.url), 'utf8'),
) as readonly { readonly float?: string; readonly value?: unknown; readonly json: string }[];

/** Integral floats below 2^53 are Ruby Floats (1.0) that JavaScript cannot tell from integers. */
function isAmbiguous(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && !Object.is(value, -0);
}

describe('rubyJson', () => {
  const rows = table.map(({ float, value, json }) => {
    return { value: float === undefined ? value : Buffer.from(float, 'hex').readDoubleBE(), json, float };
  });

  it.each(rows.filter(({ value, float }) => float === undefined || !isAmbiguous(value)))(
    'writes $json as Ruby does',
    ({ value, json }) => expect(rubyJson(value)).toBe(json),
  );

  it.each(rows.filter(({ value, float }) => float !== undefined && isAmbiguous(value)))(
    'writes the integral float $json as an integer',
    ({ value, json }) => {
      expect(rubyJson(value)).toMatch(/^\d+$/);
      expect(Number(rubyJson(value))).toBe(Number(json));
    },
  );

  it('writes bigints as integers, and leaves out what is undefined', () => {
    expect(rubyJson({ a: 2n ** 128n, b: undefined, c: [1n] })).toBe(
      '{"a":340282366920938463463374607431768211456,"c":[1]}',
    );
  });

  it.each([NaN, Infinity, () => 1, Symbol('x'), [undefined]])('refuses %s', (value) => {
    expect(() => rubyJson(value)).toThrow(RangeError);
  });

  it('can be read back as the value it was', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // JSON text has no negative zero for JSON.stringify, but Ruby's -0.0 has.
        expect(JSON.parse(rubyJson(value))).toEqual(value);
      }),
    );
  });
});
