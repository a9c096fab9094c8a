import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfigText } from './parse.js';
import { formatIssue } from './types.js';

type Described = readonly [kind: string, value?: unknown];

/** What Psych 4.0.4 itself made of each text (testdata/psych.rb). */
const table = JSON.parse(
  readFileSync(new URL('testdata/psych-documents.json', import.meta.url), 'utf8'),
) as readonly (readonly [text: string, kind: string, value?: unknown])[];

/** Where we differ on purpose: what Ruby refuses and YAML allows, and tags that would make objects. */
const differences: Readonly<Record<string, unknown>> = {
  '{"a":"\\u00e9\\n\\/ \\ud83d\\ude00"}': { a: 'é\n/ 😀' },
  'a: !foo bar': 'error',
  'a: !binary aGk=': 'error',
  'a: !!set {x, y}': 'error',
  'a: !!omap [x: 1]': 'error',
  ': x': { '': 'x' },
  'a: x\u2028y': { a: 'x\u2028y' },
  'a: "x\u0085y"': { a: 'x\u0085y' },
  '{"a"\n:\n1}': { a: 1 },
  '- [a]: 1': 'error',
  'a: b\rc: d': 'error',
  // A key 1.0 is the text "1.0" in Ruby's JSON.
  'yes: 1\n0777: 2\n~: 3\n1.0: 4\n12:30: 5': { true: 1, 511: 2, '': 3, 1: 4, 45_000: 5 },
};

function expected([kind, value]: Described): unknown {
  switch (kind) {
    case 'map':
      return Object.fromEntries(
        (value as [Described, Described][]).map(([key, one]) => [keyOf(key), expected(one)]),
      );
    case 'seq':
      return (value as Described[]).map(expected);
    case 'nil':
      return null;
    case 'int':
      return Number.isSafeInteger(Number(value)) ? Number(value) : BigInt(value as string);
    case 'float':
      return Number(value);
    case 'sym':
      return `:${String(value)}`;
    case 'raise':
    case 'empty':
      return 'error';
    default:
      return value;
  }
}

function keyOf([kind, value]: Described): string {
  return kind === 'nil' ? '' : String(value);
}

function read(text: string): unknown {
  const { value, issues } = parseConfigText('a.yaml', text);
  return issues.some((issue) => issue.severity === 'error') ? 'error' : value;
}

function problems(text: string): readonly string[] {
  return parseConfigText('a.yaml', text).issues.map(formatIssue);
}

describe('parseConfigText', () => {
  it.each(table.map(([text, kind, value]) => ({ text, kind, value })))(
    'reads $text as Ruby does',
    ({ text, kind, value }) => {
      const wanted = text in differences ? differences[text] : expected([kind, value]);
      expect(read(text)).toEqual(wanted);
    },
  );

  it('lists no difference that is none', () => {
    const same = table.filter(([text, kind, value]) => {
      return text in differences && JSON.stringify(read(text)) === JSON.stringify(expected([kind, value]));
    });
    expect(same).toEqual([]);
    expect(Object.keys(differences).filter((text) => !table.some((row) => row[0] === text))).toEqual([]);
  });

  it('knows the place of every value and key', () => {
    const parsed = parseConfigText('a.yaml', 'services:\n  web:\n    port: 80\n    checks: [{type: tcp}]\n');
    expect(parsed.at(['services', 'web', 'port'])).toEqual({ line: 3, column: 11 });
    expect(parsed.keyAt(['services', 'web', 'port'])).toEqual({ line: 3, column: 5 });
    expect(parsed.at(['services', 'web', 'checks', 0, 'type'])).toEqual({ line: 4, column: 21 });
    expect(parsed.at(['services', 'web', 'missing', 'deeper'])).toEqual(parsed.at(['services', 'web']));
    expect(parsed.at([])).toEqual({ line: 1, column: 1 });
  });

  it('points into the anchor for what a merge brings in', () => {
    const parsed = parseConfigText('a.yaml', 'base: &b {port: 80}\nweb:\n  <<: *b\n  host: x\n');
    expect(parsed.at(['web', 'port'])).toEqual({ line: 1, column: 17 });
  });

  it('reports all problems of the text at once, with their places', () => {
    expect(problems('a: *x\nb: !foo y\na: 1\n? [k]\n: v\nc: :sym')).toEqual([
      'a.yaml:1:4 Alias *x has no anchor before it',
      'a.yaml:2:9 Unsupported tag !foo',
      'a.yaml:3:1 Duplicate key "a": the last one counts (warning)',
      'a.yaml:4:3 A key must be a single value',
      'a.yaml:6:4 :sym is a symbol to Ruby, here it is text: quote it to be read alike (warning)',
    ]);
    expect(problems('a: [1\nb: "x\n')).toEqual([
      expect.stringMatching(/^a\.yaml:2:1 /),
      expect.stringMatching(/^a\.yaml:3:1 Missing closing "quote/),
    ]);
  });

  it.each([
    ['', 'a.yaml: The file is empty'],
    ['# nothing\n', 'a.yaml: The file is empty'],
    ['a: 1\n---\nb: 2\n', 'a.yaml:2:1 Only the first document of a file is read (warning)'],
    ['a: &x [*x]', 'a.yaml:1:8 Alias *x refers to what contains it'],
    ['__proto__: {polluted: true}', 'a.yaml:1:1 The key __proto__ is not allowed'],
    ['{"a": {"__proto__": 1}}', 'a.yaml:1:8 The key __proto__ is not allowed'],
  ])('says what is wrong with %j', (text, problem) => expect(problems(text)).toEqual([problem]));

  it('does not hang or fall on an alias bomb', () => {
    const levels = Array.from({ length: 30 }, (_, n) => `l${n + 1}: &l${n + 1} [${`*l${n},`.repeat(9)}]`);
    const started = performance.now();
    expect(problems(`l0: &l0 x\n${levels.join('\n')}`)).toEqual([
      expect.stringMatching(/^a\.yaml:\d+:\d+ Aliases make more than 1000000 values$/),
    ]);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it.each(['[', '{a: ', '- ', '? ', '{"a":['])('refuses endless nesting of %j in linear time', (part) => {
    const started = performance.now();
    expect(problems(part.repeat(100_000))).toEqual([
      expect.stringMatching(/^a\.yaml:1:\d+ Nested more than 100 levels deep$/),
    ]);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('reads every JSON value as JSON does, but for numbers with an exponent', () => {
    // Exponents, merges and integers beyond 2^53 are Ruby's business (see the table).
    const json = fc
      .jsonValue({ maxDepth: 4 })
      .filter((value) => !/__proto__|\de[+-]?\d|"<<"|\d{16}/.test(JSON.stringify(value)));
    fc.assert(
      fc.property(json, fc.constantFrom(undefined, 2, '\t'), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(read(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('takes any text without throwing', () => {
    const garbage = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .array(
          fc.constantFrom(
            'a',
            ': ',
            '\n',
            '- ',
            '[',
            ']',
            '{',
            '}',
            '&x ',
            '*x',
            '|',
            '"',
            "'",
            '!!',
            '? ',
            '  ',
            ',',
            '#',
            '<<',
            '%',
            '---\n',
          ),
          { maxLength: 40 },
        )
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(garbage, (text) => {
        const parsed = parseConfigText('a.yaml', text);
        const failed = parsed.issues.some((issue) => issue.severity === 'error');
        expect(parsed.value === undefined).toBe(failed);
        for (const issue of parsed.issues) expect(formatIssue(issue)).not.toMatch(/[\n\r]/);
      }),
      { numRuns: 1000 },
    );
  });
});
