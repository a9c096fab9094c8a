import { describe, expect, it } from 'vitest';
import { capabilitiesOf, isAtLeast } from './capabilities.js';

describe('capabilitiesOf', () => {
  it.each([
    ['2.4.0-6cbbecf09', '', [2, 4]],
    ['2.5.0-f2e0833f1', '', [2, 5]],
    ['2.6.12-1+deb12u4', 'dynamicServers counterArrays', [2, 6]],
    ['HAProxy version 2.8.5-1 2024/01/01', 'dynamicServers counterArrays', [2, 8]],
    ['3.0-dev5-abc', 'dynamicServers dynamicCookie counterArrays', [3, 0]],
    ['3.2.0-e134140d2', 'dynamicServers dynamicCookie counterArrays', [3, 2]],
    ['3.3.0', 'dynamicServers dynamicCookie addServerForgetsSni separateNames counterArrays', [3, 3]],
    ['3.4.0-64a335366', 'dynamicServers dynamicCookie separateNames counterArrays', [3, 4]],
    ['10.0.1', 'dynamicServers dynamicCookie separateNames counterArrays', [10, 0]],
    ['unknown', '', [0, 0]],
    ['', '', [0, 0]],
  ])('knows %s', (version, expected, release) => {
    const capabilities = capabilitiesOf(version);
    const held = Object.entries(capabilities).flatMap(([name, value]) => (value === true ? [name] : []));
    expect(held.join(' ')).toBe(expected);
    expect(capabilities.release).toEqual(release);
  });

  it('orders releases by number, not by text', () => {
    expect(isAtLeast([2, 10], [2, 9])).toBe(true);
    expect(isAtLeast([3, 0], [2, 9])).toBe(true);
    expect(isAtLeast([2, 9], [3, 0])).toBe(false);
  });
});
