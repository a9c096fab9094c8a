import type { ZkSession } from '@smartstack/registry';
import { describe, expect, it, vi } from 'vitest';

import { canonicalHosts, createSessionPool } from './sessionPool.js';

const fakeSession = () => ({ close: vi.fn(() => Promise.resolve()) }) as unknown as ZkSession;
const closed = (session: ZkSession) => vi.mocked(session).close.mock.calls.length;

describe('canonicalHosts', () => {
  it.each([
    [
      ['b:2181', 'a:2181'],
      ['a:2181', 'b:2181'],
    ],
    [['b:2181,a:2181'], ['a:2181', 'b:2181']],
    [
      ['b:2181/root', 'a:2181'],
      ['a:2181', 'b:2181/root'],
    ],
    [
      ['a:2181/root', 'b:2181'],
      ['a:2181', 'b:2181/root'],
    ],
    [
      ['a:2181/r', 'b:2181/r'],
      ['a:2181', 'b:2181/r'],
    ],
    [
      [' a:1 ', '', 'b:1,'],
      ['a:1', 'b:1'],
    ],
  ])('%j', (hosts, canonical) => {
    expect(canonicalHosts(hosts)).toEqual(canonical);
  });
});

describe('createSessionPool', () => {
  it('opens one session per set of hosts and closes it with its last user', async () => {
    const open = vi.fn(fakeSession);
    const pool = createSessionPool(open);
    const first = pool.acquire(['b:1', 'a:1']);
    const second = pool.acquire(['a:1', 'b:1']);
    const other = pool.acquire(['c:1']);
    expect(second.session).toBe(first.session);
    expect(other.session).not.toBe(first.session);
    expect(open.mock.calls).toEqual([[['a:1', 'b:1']], [['c:1']]]);

    await first.release();
    await first.release();
    expect(closed(first.session)).toBe(0);
    await second.release();
    expect(closed(first.session)).toBe(1);
    expect([...pool.entries().keys()]).toEqual(['c:1']);
  });

  it('opens a new one for a user that comes while the old one closes', async () => {
    const pool = createSessionPool(fakeSession);
    const old = pool.acquire(['a:1']);
    const closing = old.release();
    expect(pool.acquire(['a:1']).session).not.toBe(old.session);
    await closing;
  });
});
