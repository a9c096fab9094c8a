import { describe, expect, it } from 'vitest';
import { aclEntry } from './aclEntry.js';

describe('aclEntry', () => {
  it('reads what zkCli writes', () => {
    expect(aclEntry.parse('world:anyone:r')).toEqual({ scheme: 'world', id: 'anyone', permissions: 'r' });
    expect(aclEntry.parse('auth::cdrwa')).toEqual({ scheme: 'auth', id: '', permissions: 'cdrwa' });
    expect(aclEntry.parse('digest:u:aGFzaA==:rw')).toEqual({
      scheme: 'digest',
      id: 'u:aGFzaA==',
      permissions: 'rw',
    });
    for (const bad of ['', 'world', 'world:anyone', 'world:anyone:x', 'world:anyone:']) {
      expect(aclEntry.safeParse(bad).success, bad).toBe(false);
    }
  });
});
