import { describe, expect, it } from 'vitest';

import { candidates, hostSearchList, parseSearchList } from './searchList.js';

describe('the search list', () => {
  it.each([
    ['nameserver 1.1.1.1\n', undefined],
    ['search a.b c.d # comment\noptions ndots:5 timeout:1\n', { domains: ['a.b', 'c.d'], ndots: 5 }],
    ['search a\ndomain b\n; search c\n', { domains: ['b'], ndots: 1 }],
    ['', undefined],
  ])('is what resolv.conf says: %j', (text, expected) => expect(parseSearchList(text)).toEqual(expected));

  it('falls back on the domain of the machine, as Ruby does', () => {
    expect(hostSearchList('web1.prod.example.com')).toEqual({ domains: ['prod.example.com'], ndots: 1 });
    expect(hostSearchList('web1')).toEqual({ domains: [], ndots: 1 });
  });

  it.each([
    ['db', ['db.x', 'db.y', 'db']],
    ['db.a', ['db.a', 'db.a.x', 'db.a.y']],
    ['db.a.', ['db.a']],
  ])('makes candidates of %s', (name, expected) =>
    expect(candidates(name, { domains: ['x.', 'y'], ndots: 1 })).toEqual(expected),
  );
});
