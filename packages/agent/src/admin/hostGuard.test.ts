import { describe, expect, it } from 'vitest';
import { isOwnHost, isOwnOrigin } from './hostGuard.js';

describe('isOwnHost', () => {
  it.each([
    undefined,
    'localhost',
    'LOCALHOST:1',
    'localhost.',
    'a.localhost',
    '127.0.0.1',
    '127.0.0.1:99',
    '[::1]',
    '[::1]:1',
    '10.1.2.3',
    'vm-1.example:3455',
    'VM-1.EXAMPLE.',
  ])('takes %j', (host) => expect(isOwnHost(host, ['VM-1.example'])).toBe(true));

  it.each([
    '',
    'evil.example',
    'evil.example:3455',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'vm-2.example',
    '127.0.0.1@evil.example',
    'evil.example/localhost',
    'localhost:1:2',
    '[::1',
    '[evil.example]',
    'a b',
    'xlocalhost',
  ])('refuses %j', (host) => expect(isOwnHost(host, ['VM-1.example'])).toBe(false));
});

describe('isOwnOrigin', () => {
  it.each([
    [{}, true],
    [{ origin: 'http://127.0.0.1:3455', site: 'same-origin' }, true],
    [{ origin: 'http://[::1]:3455' }, true],
    [{ site: 'none' }, true],
    [{ origin: 'http://evil.example' }, false],
    [{ origin: 'null' }, false],
    [{ origin: 'file://' }, false],
    [{ site: 'cross-site' }, false],
    [{ origin: 'http://127.0.0.1:8080', site: 'same-site' }, false],
  ])('judges %j as %j', (headers, own) => expect(isOwnOrigin(headers)).toBe(own));
});
