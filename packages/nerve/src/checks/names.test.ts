import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { Names } from './names.js';

/** A resolver whose answers the test gives. */
function setUp() {
  const asked: { name: string; answer(address: string): void; fail(code: string): void }[] = [];
  const names = new Names(
    (name) =>
      new Promise((resolve, reject) => {
        asked.push({
          name,
          answer: (address) => resolve([{ address, family: 4 }]),
          fail: (code) => reject(Object.assign(new Error(code), { code })),
        });
      }),
  );
  const look = (name: string): Promise<string> =>
    new Promise((resolve, reject) =>
      names.lookup(name, { all: true }, (error, found) => {
        if (error) reject(error);
        else resolve((found as LookupAddress[]).map(({ address }) => address).join());
      }),
    );
  const last = () => asked.at(-1) ?? expect.fail('nobody asked');
  return { asked, names, look, last };
}

describe('Names', () => {
  it('asks once for a name however many wait, and again for the next', async () => {
    const { asked, look, last } = setUp();
    const both = [look('a'), look('a')];
    last().answer('10.0.0.1');
    expect(await Promise.all(both)).toEqual(['10.0.0.1', '10.0.0.1']);
    expect(asked).toHaveLength(1);
    // The known answer serves at once, the new one the next time.
    expect(await look('a')).toBe('10.0.0.1');
    last().answer('10.0.0.2');
    await Promise.resolve();
    await expect.poll(() => look('a')).toBe('10.0.0.2');
    expect(asked.length).toBeGreaterThan(2);
  });

  it('keeps names that were known, and the loopback, when the resolver hangs on others', async () => {
    const { asked, look, last } = setUp();
    const first = look('good');
    last().answer('10.0.0.1');
    await first;
    for (let i = 0; i < 50; i += 1) look(`bad-${i % 10}`).catch(() => undefined);
    // Threads are few: only two of them hang.
    expect(asked.map(({ name }) => name)).toEqual(['good', 'bad-0', 'bad-1']);
    for (let i = 0; i < 3; i += 1) expect(await look('good')).toBe('10.0.0.1');
    expect(await look('localhost')).toBe('127.0.0.1,::1');
    expect(asked).toHaveLength(3);
  });

  it('goes on with the next name when one is answered or fails', async () => {
    const { asked, look } = setUp();
    const all = ['a', 'b', 'c', 'd'].map(look);
    asked[0]?.answer('10.0.0.1');
    asked[1]?.fail('EAI_AGAIN');
    await expect(all[1]).rejects.toThrow('EAI_AGAIN');
    await expect.poll(() => asked.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd']);
    asked[2]?.answer('10.0.0.3');
    asked[3]?.answer('10.0.0.4');
    expect(await Promise.all([all[0], all[2], all[3]])).toEqual(['10.0.0.1', '10.0.0.3', '10.0.0.4']);
  });

  it('forgets a name that is gone, and only then', async () => {
    const { look, last } = setUp();
    const first = look('a');
    last().answer('10.0.0.1');
    await first;
    await look('a');
    last().fail('EAI_AGAIN');
    expect(await look('a')).toBe('10.0.0.1');
    await look('a');
    last().fail('ENOTFOUND');
    await new Promise((resolve) => setImmediate(resolve));
    const gone = look('a');
    last().fail('ENOTFOUND');
    await expect(gone).rejects.toThrow('ENOTFOUND');
  });

  it('gives a single address of the wanted family to who asks for one', async () => {
    const names = new Names(() => Promise.resolve([{ address: '::2', family: 6 }]));
    const one = (family: number) =>
      new Promise((resolve) => names.lookup('a', { family }, (...answer) => resolve(answer)));
    expect(await one(0)).toEqual([null, '::2', 6]);
    expect(await one(6)).toEqual([null, '::2', 6]);
    expect(await one(4)).toMatchObject([{ message: 'a has no such address' }, '']);
  });
});
