import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { combinationProblem, joinOptions, parseOptions, registryOptions, splitWords } from './options.js';
import { expandTemplate, templateProblem } from './template.js';

const values = { host: '10.0.0.1', port: 8080, name: 'a_10.0.0.1:8080' };
const read = (text: string, trust: 'strict' | 'any' = 'strict') => registryOptions(text, values, trust);
const accepted = (text: string) => {
  const result = read(text);
  return 'value' in result ? joinOptions(result.value).join(' ') : result;
};

describe('options that an instance brings', () => {
  it.each([
    'check inter 5s rise 2 fall 1',
    'backup',
    'id 77 weight 3',
    'maxconn 10 maxqueue 0 slowstart 30s',
    'check observe layer7 error-limit 5 on-error mark-down',
    'ssl verify none check-sni web.example',
    'send-proxy-v2 non-stick init-addr last,libc,none',
    'pool-max-conn -1',
  ])('accepts %s', (text) => expect(accepted(text)).toBe(text));

  it('expands templates as Ruby does', () => {
    expect(accepted('  addr %{host}\tport %{port} ')).toBe('addr 10.0.0.1 port 8080');
    expect(read('cookie %{nome}')).toEqual({
      reason: expect.stringContaining("stray % at '%{nome}'") as string,
    });
    expect(templateProblem('100%% %{host}')).toBeUndefined();
    expect(expandTemplate('a%%{host} %{host}', values)).toBe('a%{host} 10.0.0.1');
    // What was put in is not looked at again.
    expect(expandTemplate('%{name}', { ...values, name: '%{host}' })).toBe('%{host}');
  });

  it.each([
    ['chekc', 'option "chekc" is not one that an instance may bring'],
    ['crt /etc/shadow', 'option "crt" names a file of this host'],
    ['track other/server', 'option "track" names another server, which must exist'],
    ['check inter', 'option "inter" lacks its value'],
    ['inter 0', 'option "inter" cannot have the value "0"'],
    ['inter 30d', 'option "inter" cannot have the value "30d"'],
    ['weight 300', 'option "weight" cannot have the value "300"'],
    ['weight check', 'option "weight" cannot have the value "check"'],
    ['port 99999', 'option "port" cannot have the value "99999"'],
    ['id 0', 'option "id" cannot have the value "0"'],
    ['addr evil.example', 'option "addr" cannot have the value "evil.example"'],
    ['check #backup', '"#backup" holds characters that are not allowed'],
    ['cookie $SECRET', '"$SECRET" holds characters that are not allowed'],
    ['cookie "a', String.raw`"\"a" holds characters that are not allowed`],
    [String.raw`cookie a\ b`, String.raw`"a\\" holds characters that are not allowed`],
    ['check; disable', '"check;" holds characters that are not allowed'],
    ['check <<', '"<<" holds characters that are not allowed'],
    ['cookie ü', '"ü" holds characters that are not allowed'],
    ['check\nserver evil 1.2.3.4:5', 'must be a single line without control characters'],
    ['check\u2028x', 'must be a single line without control characters'],
    ['check '.repeat(49), 'haproxy_server_options has more than 48 words'],
    ['x'.repeat(5000), 'haproxy_server_options is longer than 4096 characters'],
  ])('refuses %j', (text, reason) => {
    expect(read(text)).toEqual({ reason: expect.stringContaining(reason) as string });
  });

  it('accepts any keyword of harmless characters where the operator says so', () => {
    expect(read('brand-new option crt /x', 'any')).toHaveProperty('value');
    expect(read('crt /x;y', 'any')).toHaveProperty('reason');
  });

  it('refuses combinations that make HAProxy refuse the whole file', () => {
    const problem = (own: string, operator = '', http = true) => {
      const mine = parseOptions(splitWords(own));
      return combinationProblem(mine, [...parseOptions(splitWords(operator)), ...mine], {
        http,
        serverVerifyNone: false,
      });
    };
    expect(problem('ssl')).toContain('verify none');
    expect(problem('ssl verify none')).toBeUndefined();
    expect(problem('ssl', 'verify none')).toBeUndefined();
    expect(problem('ssl', 'ca-file /ca.pem')).toBeUndefined();
    expect(problem('check-ssl')).toContain('verify none');
    expect(problem('cookie x', '', false)).toContain('"cookie x" needs a backend in mode http');
    expect(problem('observe layer7', '', false)).toContain('mode http');
    expect(problem('cookie x observe layer7')).toBeUndefined();
    expect(problem('agent-check')).toContain('agent-port');
    expect(problem('agent-check agent-port 9')).toBeUndefined();
    expect(problem('check '.repeat(40), 'check '.repeat(40))).toContain('words');
  });

  it('never lets a word through that could end a line, a word or a command', () => {
    const nasty = fc.array(
      fc.oneof(
        fc.constantFrom(
          'check',
          'weight 3',
          'backup',
          ' ',
          '\n',
          '#',
          '$',
          '"',
          '\\',
          ';',
          '<<',
          '%',
          '%%',
          '\0',
        ),
        fc.string({ unit: 'binary', maxLength: 6 }),
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(nasty, fc.constantFrom('strict', 'any'), (parts, trust) => {
        const result = read(parts.join(''), trust);
        if (!('value' in result)) return;
        for (const word of joinOptions(result.value))
          expect(word).toMatch(/^[!%&(-+,\-./0-9:=?@A-Z[\]^_a-z|~*]+$/);
      }),
      { numRuns: 2000 },
    );
  });
});
