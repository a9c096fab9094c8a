import { describe, expect, it } from 'vitest';
import { portsOf, readBinds } from './bindLines.js';
import { aServer, aService, aState } from '../testing/sections.js';

const binds = (...lines: readonly string[]): readonly string[] =>
  readBinds(['frontend web', ...lines.map((line) => `\t${line}`)].join('\n')).map(
    ({ host, port }) => `${host} ${port}`,
  );

describe('readBinds', () => {
  it.each<[string, readonly string[]]>([
    ['bind 127.0.0.1:80', ['127.0.0.1 80']],
    ['bind :80 transparent', ['0.0.0.0 80']],
    ['bind *:80,[::1]:81 v4v6', ['0.0.0.0 80', '::1 81']],
    ['bind :::80', [':: 80']],
    ['bind ipv6@[fe80::1]:80', ['fe80::1 80']],
    ['bind localhost:80-82', ['127.0.0.1 80', '127.0.0.1 81', '127.0.0.1 82']],
    ['bind localhost:82-80', []],
    ['bind a.example:80', []],
    ['bind /run/x.sock', []],
    ['bind unix@/run/x:80', []],
    ['bind abns@x:80', []],
    ['bind fd@3', []],
    ['bind "${HOST}:80"', []],
    ['bind :80 namespace blue', []],
    ['bind', []],
    ['binder :80', []],
    ['# bind :80', []],
  ])('%s', (line, expected) => {
    expect(binds(line)).toEqual(expected);
  });

  it('tells the place, and leaves out sections that do not listen for clients', () => {
    const text =
      'backend b\n\tbind :1\n\nlisten stats\n\tmode http\n\tbind :2 transparent\n\npeers p\n\tbind :3\n';
    expect(readBinds(text)).toEqual([
      { line: 6, section: 'listen stats', host: '0.0.0.0', port: 2, bothFamilies: false, isForeign: true },
    ]);
  });

  it('counts no more of a range than anybody means', () => {
    expect(binds('bind :1-65535')).toHaveLength(100);
  });
});

describe('portsOf', () => {
  it('finds the ports of all sections', () => {
    const state = aState([aService([aServer('a')])]);
    const stats = { title: 'listen stats', lines: ['bind :3212'] };
    const sharedFrontend = { title: 'frontend shared-frontend', lines: ['bind :81', 'bind :82'] };
    expect(portsOf({ ...state, base: [...state.base, stats], sharedFrontend })).toEqual([3212, 80, 81, 82]);
  });
});
