import { describe, expect, it } from 'vitest';
import { isOwnHost, mayRead, mayWrite } from './hostGuard.js';

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

const host = '127.0.0.1:3455';
const own = `http://${host}`;

describe('mayWrite', () => {
  it.each([
    [{}, true],
    [{ host }, true],
    [{ host, origin: own, site: 'same-origin' }, true],
    [{ host: 'LOCALHOST:3455', origin: 'http://localhost:3455' }, true],
    [{ host: '[::1]:3455', origin: 'https://[::1]:3455' }, true],
    [{ host, site: 'none' }, true],
    [{ host, origin: 'http://evil.example' }, false],
    [{ host, origin: 'http://127.0.0.1:8080' }, false],
    [{ host, origin: 'http://localhost:3455' }, false],
    [{ origin: own }, false],
    [{ host, origin: 'null' }, false],
    [{ host, origin: 'file://' }, false],
    [{ host, origin: `${own}/` }, false],
    [{ host, site: 'cross-site' }, false],
    [{ host, site: 'cross-site', mode: 'navigate' }, false],
    [{ host, origin: own, site: 'cross-site' }, false],
    [{ host, origin: 'http://127.0.0.1:8080', site: 'same-site' }, false],
  ])('judges %j as %j', (asker, may) => expect(mayWrite(asker)).toBe(may));
});

describe('mayRead', () => {
  it.each([
    [{}, true],
    [{ site: 'none', mode: 'navigate' }, true],
    [{ site: 'same-origin', mode: 'cors' }, true],
    [{ site: 'cross-site', mode: 'navigate' }, true],
    [{ site: 'cross-site', mode: 'no-cors' }, false],
    [{ site: 'cross-site', mode: 'cors' }, false],
    [{ site: 'cross-site' }, false],
    [{ site: 'same-site', mode: 'no-cors' }, false],
    [{ site: 'cross-site', mode: 'websocket' }, false],
  ])('judges %j as %j', (asker, may) => expect(mayRead(asker)).toBe(may));
});
