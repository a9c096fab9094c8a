import { describe, expect, it } from 'vitest';
import { SessionPool } from './pool.js';
import type { SessionOptions, ZkSession } from './types.js';

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

  it('never shares a session between users who differ in credentials, certificates or timeout', () => {
    const pool = new SessionPool(() => ({}) as ZkSession);
    const ca = (caFile: string) => ({ tls: { caFile, verify: true } });
    const digest = (text: string) => ({ auth: [{ scheme: 'digest', data: Buffer.from(text) }] });
    const users = (): readonly Partial<SessionOptions>[] => [
      {},
      { sessionTimeoutMs: 2 },
      digest('u:p'),
      digest('u:q'),
      { authFile: '/one' },
      { authFile: '/two' },
      ca('/one'),
      ca('/two'),
      { ...ca('/one'), ...digest('u:p') },
      { tls: { verify: false } },
      { tls: {} },
    ];
    const acquire = (user: Partial<SessionOptions>): ZkSession =>
      pool.acquire({ hosts: ['a:1'], sessionTimeoutMs: 1, ...user }).session;
    const first = users().map(acquire);
    expect(new Set(first).size).toBe(first.length);
    // The same settings, read once more, are the same user.
    expect(
      users()
        .map(acquire)
        .every((session, i) => session === first[i]),
    ).toBe(true);
    expect([...pool.sessions.keys()].map((key) => key.split('\n')[0])).toEqual(first.map(() => 'a:1'));
    expect([...pool.sessions.keys()].join()).not.toMatch(/u:p|dTpw|one/);
  });
});
