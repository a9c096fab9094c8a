import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { Asked, type Looks, patienceMs } from './asked.js';

/** A look that ends when it is told to. */
function hanging() {
  let resolve!: (answer: string | undefined) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<string | undefined>((...both) => ([resolve, reject] = both));
  const it = { times: 0, end: resolve, fail: reject, look: () => ((it.times += 1), promise) };
  return it;
}

describe('questions about files', () => {
  it('are asked once in a reading, and answered as they are', async () => {
    const asked = new Asked(new FakeClock(), new Map());
    const one = hanging();
    const answers = [asked.ask('q', ['/a'], one.look), asked.ask('q', ['/a'], one.look)];
    one.end('ENOENT');
    expect(await Promise.all(answers)).toEqual(['ENOENT', 'ENOENT']);
    expect(one.times).toBe(1);
    expect(asked.isHang('ENOENT')).toBe(false);
    expect(asked.over).toBeUndefined();
    await expect(asked.ask('r', [], () => Promise.reject(new Error('no such luck')))).rejects.toThrow('luck');
  });

  it('are given up when a file system hangs, and not begun again before it answers', async () => {
    const clock = new FakeClock();
    const looks: Looks = new Map();
    const first = new Asked(clock, looks);
    const one = hanging();
    const answer = first.ask('q', ['/nfs/a'], one.look);
    await clock.advance(patienceMs);
    const text = await answer;
    expect(text).toMatch(/^\/nfs\/a: not read within 3 s, for the file system hangs; .*name another file$/);
    expect(first.isHang(text!)).toBe(true);

    // The next readings wait no more, nor do others of the same directory. Others are none the worse for it.
    for (let reading = 0; reading < 3; reading += 1) {
      const next = new Asked(clock, looks);
      expect(await next.ask('q', ['/nfs/a'], one.look)).toBe(text);
      const other = hanging();
      expect(await next.ask('p', ['/nfs/b'], other.look)).toMatch(/^\/nfs\/b: not read/);
      expect(await next.ask('o', ['/etc/c'], () => Promise.resolve(undefined))).toBeUndefined();
      expect([one.times, other.times]).toEqual([1, 0]);
    }

    let isOver = false;
    const over = first.over?.then(() => (isOver = true));
    await clock.advance(60_000);
    expect(isOver).toBe(false);
    // However it ends.
    one.fail(new Error('EIO'));
    await over;
    expect(isOver).toBe(true);
    expect(await new Asked(clock, looks).ask('q', ['/nfs/a'], () => Promise.resolve('as new'))).toBe(
      'as new',
    );
    expect(looks.size).toBe(0);
  });

  it('leave some of the threads that read files to everything else', async () => {
    const clock = new FakeClock();
    const asked = new Asked(clock, new Map());
    const looks = ['/1/a', '/2/a', '/3/a', '/4/a'].map((file) => ({ file, ...hanging() }));
    let begun = 0;
    for (const { file, look } of looks) {
      const answer = asked.ask(file, [file], () => ((begun += 1), look()));
      await clock.advance(patienceMs);
      expect(asked.isHang((await answer)!)).toBe(true);
    }
    expect(begun).toBe(2);
  });
});
