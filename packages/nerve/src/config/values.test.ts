import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { camelKeys } from './camel.js';
import { count, host, port, seconds } from './values.js';

describe('values', () => {
  it('reads seconds and counts as numbers or as text', () => {
    expect([seconds.parse(0.1), seconds.parse('2'), count.parse('3'), count.parse(2.9)]).toEqual([
      0.1, 2, 3, 2,
    ]);
    for (const bad of [0, -1, '', 'x', '1e3', NaN, Infinity, null, true, 3e6]) {
      expect(seconds.safeParse(bad).success, String(bad)).toBe(false);
    }
    for (const bad of [0, 0.9, -1, 'x', 1e9]) expect(count.safeParse(bad).success, String(bad)).toBe(false);
  });

  it('takes a port from 1 to 65535 and keeps its type (trap 10)', () => {
    expect([port.parse(1), port.parse('65535')]).toEqual([1, '65535']);
    for (const bad of [0, 65_536, 1.5, '0', '65536', '1 ', '0x50', '', null, 80n]) {
      expect(port.safeParse(bad).success, String(bad)).toBe(false);
    }
  });

  it('takes no host that could end a word, a line or a path', () => {
    for (const good of ['a', '10.0.0.1', 'fe80::1%eth0', 'web_1.example.com'])
      expect(host.parse(good)).toBe(good);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
        if (host.safeParse(text).success) expect(text).toMatch(/^[A-Za-z0-9._:%-]{1,255}$/);
      }),
    );
  });
});

describe('camelKeys', () => {
  it('renames one level', () => {
    expect(camelKeys({ zk_hosts: { a_b: 1 }, port: 2, use_path_encoding: 3 })).toEqual({
      zkHosts: { a_b: 1 },
      port: 2,
      usePathEncoding: 3,
    });
  });
});
