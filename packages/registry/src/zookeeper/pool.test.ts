import { describe, expect, it } from 'vitest';
import { SessionPool } from './pool.js';
import type { ZkSession } from './types.js';

describe('SessionPool', () => {
  it('shares one session per ensemble and closes it with its last user', async () => {
    let opened = 0;
    const closed: string[] = [];
    const pool = new SessionPool((options) => {
      opened += 1;
      return { close: () => Promise.resolve(void closed.push(options.hosts.join())) } as unknown as ZkSession;
    });
    const one = pool.acquire({ hosts: ['a:1', 'b:1/jail'], sessionTimeoutMs: 1 });
    const two = pool.acquire({ hosts: ['b:1', 'a:1/jail'], sessionTimeoutMs: 1 });
    const other = pool.acquire({ hosts: ['b:1', 'a:1'], sessionTimeoutMs: 1 });
    expect(one.session).toBe(two.session);
    expect(other.session).not.toBe(one.session);
    expect(opened).toBe(2);
    await one.release();
    await one.release();
    expect(closed).toEqual([]);
    await two.release();
    expect(closed).toEqual(['a:1,b:1/jail']);
    expect(pool.acquire({ hosts: ['a:1', 'b:1/jail'], sessionTimeoutMs: 1 }).session).not.toBe(one.session);
    expect(opened).toBe(3);
  });
});
