import { unlink } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { answering, start, worker, type Worker } from '../testing/counterBed.js';

describe('losses of counters', () => {
  it.each([
    ['nobody listens', 'gone', 1],
    ['another answers in its place', 'replaced', 1],
    ['it goes on', 'thawed', 0],
  ])('tells what a worker that froze had counted once %s, and not before', async (_, end, told) => {
    let current: Worker | undefined = worker(1);
    const { cli, clock, read, logger } = await start(
      (...all) => current && answering(() => current!)(...all),
      {},
      50,
    );
    const losses = (): readonly unknown[] =>
      logger.records.filter(({ message }) => message.includes('ended before')).map(({ fields }) => fields);
    const rounds = async (): Promise<void> => {
      for (let round = 0; round < 3; round += 1) {
        // Each gives up by itself: a silent socket takes longer.
        const reading = read();
        await clock.advance(2_000);
        await reading;
      }
    };
    await read();
    const before = current;
    current = undefined;
    const silent = (): boolean => logger.records.some(({ message }) => message.includes('cannot be read'));
    await expect.poll(() => read().then(silent), { timeout: 4_000 }).toBe(true);
    await rounds();
    expect(losses()).toEqual([]);
    if (end === 'gone') await unlink(cli.path);
    else current = end === 'replaced' ? worker(2) : before;
    await expect.poll(() => rounds().then(() => losses().length), { timeout: 4_000 }).toBe(told);
    if (end === 'thawed') {
      await expect.poll(() => read().then(() => cli.connections)).toBe(1);
      await rounds();
    }
    expect(losses()).toEqual(
      told === 0 ? [] : [{ worker: '1 of 1000', lostSeconds: expect.any(Number) as number }],
    );
  });
});
