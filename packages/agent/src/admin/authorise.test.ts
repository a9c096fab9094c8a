import { describe, expect, it } from 'vitest';
import { originOf } from './authorise.js';

describe('an address that other hosts reach', () => {
  it.each([
    [{ host: '127.0.0.1', port: 1 }, 'loopback'],
    [{ host: '127.8.9.1', port: 1 }, 'loopback'],
    [{ host: '::1', port: 1 }, 'loopback'],
    [{ host: 'localhost', port: 1 }, 'loopback'],
    [{ host: '127.evil.example', port: 1 }, 'network'],
    [{ host: '::', port: 1 }, 'network'],
    [{ host: '10.0.0.5', port: 1 }, 'network'],
    [{ socket: '/a' }, 'socket'],
  ])('is told from others: %j', (address, origin) => expect(originOf(address)).toBe(origin));
});
