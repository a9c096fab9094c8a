import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandErbEnv } from './erb.js';
import { formatIssue } from './types.js';

const env = { HOST: 'zk1:2181', EMPTY: '', MULTI: 'a\nevil: true' };

function expand(text: string): string {
  const { text: expanded, issues } = expandErbEnv('s.yaml', text, env);
  expect(issues).toEqual([]);
  return expanded;
}

function problems(text: string): readonly string[] {
  return expandErbEnv('s.yaml', text, env).issues.map(formatIssue);
}

describe('expandErbEnv', () => {
  it.each([
    [`a: <%= ENV['HOST'] %>`, 'a: zk1:2181'],
    [`a: "<%=ENV["HOST"]%>"`, 'a: "zk1:2181"'],
    [`a: <%= ENV[ 'HOST' ] -%>`, 'a: zk1:2181'],
    [`a: <%= ENV['MISSING'] %>`, 'a: '],
    [`a: <%= ENV['MISSING'] || 'x' %>`, 'a: x'],
    [`a: <%= ENV['EMPTY'] || 'x' %>`, 'a: '],
    [`a: <%= ENV['MISSING'] || 80 %>`, 'a: 80'],
    [`a: <%= ENV.fetch('HOST') %>`, 'a: zk1:2181'],
    [`a: <%= ENV.fetch("MISSING", "d e") %>`, 'a: d e'],
    [`a: <%= ENV.fetch('MISSING', 2181) %>`, 'a: 2181'],
    [`a: <%= ENV['HOST'] %>, <%= ENV['HOST'] %>`, 'a: zk1:2181, zk1:2181'],
    ['a: <%# a note %>b', 'a: b'],
    ['a: <%% b %>', 'a: <% b %>'],
    ['100% <b> %> <', '100% <b> %> <'],
    [`a: <%= ENV['toString'] %>`, 'a: '],
  ])('expands %j', (text, expanded) => expect(expand(text)).toBe(expanded));

  it.each([
    ['<%= `id` %>', 1, 'supported, not <%= `id` %>'],
    ["<%= ENV['HOST'].upcase %>", 1, 'supported'],
    ["<%= ENV['HOST'] + `id` %>", 1, 'supported'],
    ['<%= "#{`id`}" %>', 1, 'supported'],
    [`<%= ENV["#{exit}"] %>`, 1, 'supported'],
    [`<% if true %>`, 1, 'supported'],
    [`<%= ENV.fetch('GONE') %>`, 1, 'The environment variable GONE is not set'],
    [`<%= ENV['MULTI'] %>`, 1, 'The environment variable MULTI has a line break'],
    [`x\n  <%= ENV['HOST'`, 2, '<% without %>'],
    [`<%=\nENV['HOST'] %>`, 1, 'supported'],
  ])('refuses %j with its place (trap 3)', (text, line, message) => {
    expect(problems(text)).toEqual([expect.stringMatching(new RegExp(`^s\\.yaml:${line}:\\d+ `))]);
    expect(problems(text)[0]).toContain(message);
  });

  it('reports all, and keeps the numbers of the lines', () => {
    const text = `a\n<%= x\n\n%>\n  <%= y %>\n`;
    expect(problems(text)).toEqual([
      expect.stringMatching(/^s\.yaml:2:1 /),
      expect.stringMatching(/^s\.yaml:5:3 /),
    ]);
    const { text: expanded } = expandErbEnv('s.yaml', text, env);
    expect(expanded.split('\n')).toHaveLength(text.split('\n').length);
  });

  it('puts in nothing that the environment does not hold, and does not expand a value again', () => {
    const value = fc.string({ unit: 'grapheme' }).filter((text) => !/[\r\n]/.test(text));
    fc.assert(
      fc.property(value, (text) => {
        const { text: expanded, issues } = expandErbEnv('f', "a: <%= ENV['X'] %>!", { X: text });
        expect({ expanded, issues }).toEqual({ expanded: `a: ${text}!`, issues: [] });
      }),
    );
  });

  it('takes any text in linear time', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void expandErbEnv('f', text, env)));
    const started = performance.now();
    for (const part of ['<%', '<%=', '<%= ENV[', '%>', '<%%', "<%= ENV['A'] ", '<%= %>'])
      expandErbEnv('f', part.repeat(100_000), env);
    expect(performance.now() - started).toBeLessThan(3000);
  });
});
