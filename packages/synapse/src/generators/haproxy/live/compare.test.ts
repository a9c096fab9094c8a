import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareSections } from './compare.js';
import { withoutHarmless } from './harmless.js';
import { parseSections } from './sections.js';

const compare = (before: string, after: string) =>
  compareSections(parseSections(before), parseSections(after));
const shown = (before: string, after: string) =>
  compare(before, after).map(({ title, kind, changes, notes }) => [
    `${kind} ${title}`,
    ...changes.map(({ op, text, line }) => `${op} ${text} @${line}`),
    ...notes,
  ]);

describe('parseSections', () => {
  it('takes out comments and spaces, and leaves what is quoted', () => {
    const text = '# by hand\nglobal\n\tmaxconn   5 # enough\n\nfrontend  web\n  log-format "a  # b" \\#c\n';
    expect(parseSections(text)).toEqual([
      { title: 'global', line: 2, lines: [{ text: 'maxconn 5', line: 3 }] },
      { title: 'frontend web', line: 5, lines: [{ text: String.raw`log-format "a  # b" \#c`, line: 6 }] },
    ]);
  });

  it('survives whatever a file holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const lines = parseSections(text).flatMap((section) => section.lines);
        for (const { text: line } of lines) expect(line).toBe(line.trim());
      }),
    );
  });
});

describe('compareSections', () => {
  it('says which lines are gone and which are new, with their places', () => {
    const before = 'backend web\n  mode http\n  balance roundrobin\n  option httplog\n';
    const after =
      'backend web\n  mode http\n  balance leastconn\n  option httplog\nbackend api\n  mode tcp\n';
    expect(shown(before, after)).toEqual([
      ['changed backend web', '- balance roundrobin @3', '+ balance leastconn @3'],
      ['added backend api', '+ mode tcp @6'],
    ]);
    expect(shown(after, before)[1]).toEqual(['removed backend api', '- mode tcp @6']);
  });

  it('compares servers by name, and tells their order apart', () => {
    const before = 'backend web\nserver a 10.0.0.1:80\nserver b 10.0.0.2:80\nserver c 10.0.0.3:80\n';
    const after = 'backend web\nserver c 10.0.0.3:80\nserver a 10.0.0.1:81\n';
    expect(shown(before, after)).toEqual([
      [
        'changed backend web',
        '- server a 10.0.0.1:80 @2',
        '+ server a 10.0.0.1:81 @3',
        '- server b 10.0.0.2:80 @3',
        'its servers come in another order',
      ],
    ]);
  });

  it('finds that sections come in another order, and keeps sections of one title apart', () => {
    expect(shown('backend a\nbackend b\n', 'backend b\nbackend a\n')).toEqual([
      ['moved ', 'the sections come in another order'],
    ]);
    const twice = 'defaults\n mode http\ndefaults\n mode tcp\n';
    expect(shown(twice, twice)).toEqual([]);
  });

  const line = fc.constantFrom('mode http', 'balance first', 'option x', 'server a 1:1', 'timeout x 1s');
  const text = fc.array(line, { maxLength: 12 }).map((lines) => ['backend web', ...lines].join('\n'));

  it('finds nothing between a file and itself, and for others exactly what turns one into the other', () => {
    const bag = (lines: readonly string[]) => [...lines].sort();
    fc.assert(
      fc.property(text, text, (before, after) => {
        expect(compare(before, before)).toEqual([]);
        const changes = compare(before, after).flatMap((section) => section.changes);
        const own = (of: string) => of.split('\n').filter((each) => !/^(backend|server) /.test(each));
        const kept = bag(own(before));
        for (const { op, text: changed } of changes) {
          if (changed.startsWith('server ')) continue;
          if (op === '+') kept.push(changed);
          else kept.splice(kept.indexOf(changed), 1);
        }
        expect(bag(kept)).toEqual(bag(own(after)));
      }),
    );
  });
});

describe('withoutHarmless', () => {
  const one = 'server a 10.0.0.1:80 id 1';
  it('takes out a cookie that means nothing, and no other change of the line', () => {
    const before = `backend web\n${one} cookie a check\n`;
    const { changes, harmless } = withoutHarmless(compare(before, `backend web\n${one} check\n`));
    expect(changes).toEqual([]);
    expect(harmless).toHaveLength(1);
    expect(withoutHarmless(compare(before, `backend web\n${one} check inter 1s\n`))).toMatchObject({
      changes: [{ kind: 'changed' }],
      harmless: [],
    });
  });

  it('leaves a cookie where the backend has, or had, a cookie directive', () => {
    const before = `backend web\ncookie SRV insert\n${one} cookie a\n`;
    expect(withoutHarmless(compare(before, `backend web\n${one}\n`)).harmless).toEqual([]);
  });
});
