import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compose } from './compose.js';
import { Converter } from './convert.js';
import { plainJson } from './jsonText.js';

function throughYaml(text: string): unknown {
  const { document, issues } = compose(text);
  const converter = new Converter();
  const { value } = converter.convert(document?.contents);
  return { value, problems: [...issues, ...converter.issues].map(({ message }) => message) };
}

/** No floating point numbers: those go the long way. */
const leaf = fc.oneof(
  fc.boolean(),
  fc.constant(null),
  fc.maxSafeInteger(),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('yes', ':symbol', '010', '1e3', '~', '<<', '\u2028', '\u0085', '\t', '#', '{{'),
);
const { object } = fc.letrec((tie) => ({
  object: fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 20 }), tie('value')),
  value: fc.oneof({ depthSize: 'small' }, leaf, tie('object'), fc.array(tie('value'), { maxLength: 4 })),
}));

describe('plainJson', () => {
  it('reads what it takes as the YAML parser does', () => {
    fc.assert(
      fc.property(object, fc.constantFrom(undefined, 2, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const read = plainJson(text);
        if (read !== undefined) expect(throughYaml(text)).toEqual({ value: read, problems: [] });
      }),
    );
  });

  it.each([
    '{"services":{"a":{"port":3213,"hosts":["b:2181"],"ok":true,"no":null}}}',
    ' {\n  "a": [ 1, -2, 0 ]\n}\n',
    '{"a b":"with \\"quotes\\" and {braces}"}',
  ])('takes %s', (text) => {
    expect(plainJson(text)).toEqual(JSON.parse(text));
  });

  it.each([
    ['a duplicate key', '{"a":1,"a":2}'],
    ['a duplicate key far away', '{"a":1,"b":{"a":2},"a":3}'],
    ['a number that loses digits', '{"a":12345678901234567890}'],
    ['a number with an exponent', '{"a":1e3}'],
    ['a number that has another form', '{"a":1.0}'],
    ['a float', '{"a":1.5}'],
    ['the key of a merge', '{"<<":{"a":1}}'],
    ['the key __proto__', '{"__proto__":{"a":1}}'],
    ['an escape that need not be', '{"a":"\\u0041"}'],
    ['deep nesting', `${'['.repeat(60)}${']'.repeat(60)}`],
    ['nesting as deep as nobody can follow', `${'['.repeat(20_000)}${']'.repeat(20_000)}`],
    ['a comment', '{"a":1} # b'],
    ['two documents', '{"a":1}\n---\n{"a":2}'],
    ['YAML', 'a: 1'],
    ['a scalar', '"a"'],
    ['nothing', ''],
  ])('leaves %s to the YAML parser', (_what, text) => {
    expect(plainJson(text)).toBeUndefined();
  });
});
