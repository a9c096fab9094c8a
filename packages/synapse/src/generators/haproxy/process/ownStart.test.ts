import { FakeClock } from '@smartstack/agent/testing';
import { expect, it } from 'vitest';
import { OwnStart } from './ownStart.js';

it('says how long ago the last start of our own was, and forgets one that failed', async () => {
  const clock = new FakeClock();
  const start = new OwnStart(clock);
  expect(start.agoMs).toBe(Infinity);
  await expect(start.noting(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await start.noting(() => Promise.resolve(false))).toBe(false);
  expect(start.agoMs).toBe(Infinity);
  const underWay = start.noting(async () => {
    await clock.sleep(700);
    return true;
  });
  expect(start.agoMs).toBe(0);
  await clock.advance(700);
  expect(await underWay).toBe(true);
  await clock.advance(300);
  expect(start.agoMs).toBe(300);
  await start.noting(() => Promise.resolve(false));
  expect(start.agoMs).toBe(300);
});
