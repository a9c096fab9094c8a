import { describe, expect, it } from 'vitest';
import { EtcdError } from './errors.js';
import { errorOf, readGrant, readKeepAlive, readLeaseKeys, readToken, readTxn } from './messages.js';

// As etcd 3.4 answers.
const header = { cluster_id: '1', member_id: '2', revision: '17', raft_term: '2' };

describe('answers of etcd', () => {
  it('are read with the zeros that it leaves out', () => {
    expect(readGrant({ header, ID: '2324035616603355911', TTL: '3' })).toEqual({
      id: '2324035616603355911',
      ttlSeconds: 3,
      revision: '17',
    });
    expect(readKeepAlive({ result: { header, ID: '5', TTL: '3' } })).toBe(3);
    expect(readKeepAlive({ result: { header, ID: '5' } })).toBe(0);
    expect(readLeaseKeys({ header, ID: '5', TTL: '2', grantedTTL: '3', keys: ['L2E='] })).toEqual(['/a']);
    expect(readLeaseKeys({ header, ID: '5', TTL: '2' })).toEqual([]);
    expect(readLeaseKeys({ header, ID: '5', TTL: '-1' })).toBeUndefined();
    expect(readTxn({ header, succeeded: true, responses: [] })).toEqual({ done: true, revision: '17' });
    const kv = { key: 'L2E=', mod_revision: '9', value: 'L2E=' };
    expect(readTxn({ header, responses: [{ response_range: { kvs: [kv], count: '1' } }] })).toEqual({
      done: false,
      found: { value: '/a', modRevision: '9', lease: '0' },
    });
    expect(readTxn({ header, responses: [{ response_range: {} }] })).toEqual({
      done: false,
      found: undefined,
    });
  });

  it.each([
    undefined,
    null,
    'text',
    [],
    7,
    {},
    { result: 1 },
    { header: {}, ID: 'x', TTL: {} },
    { keys: 5, TTL: '1' },
  ])('are refused when they are garbage: %j', (garbage) => {
    const readers = [readGrant, readTxn, readToken];
    for (const read of readers) expect(() => read(garbage)).toThrow(EtcdError);
  });

  it('that are errors say whether asking elsewhere helps', () => {
    const down = errorOf({ error: 'etcdserver: no leader', code: 14 }, 503);
    expect([down.elsewhere, down.leaseGone, down.stale]).toEqual([true, false, false]);
    const gone = errorOf({ message: 'etcdserver: requested lease not found', code: 5 }, 404);
    expect([gone.elsewhere, gone.leaseGone]).toEqual([false, true]);
    expect(errorOf({ error: 'etcdserver: invalid auth token', code: 16 }, 401).stale).toBe(true);
    // A proxy in between has no codes.
    expect(errorOf(undefined, 502).elsewhere).toBe(true);
    expect(errorOf({ message: 'a\u001b[31m' }, 500).message).toBe('a?[31m');
    expect(() => readKeepAlive({ error: { grpc_code: 14, message: 'x' } })).toThrow(EtcdError);
  });

  it('give no token that could end a header', () => {
    expect(readToken({ header, token: 'abc.17' })).toBe('abc.17');
    expect(() => readToken({ header, token: 'a\r\nx: y' })).toThrow(EtcdError);
  });
});
