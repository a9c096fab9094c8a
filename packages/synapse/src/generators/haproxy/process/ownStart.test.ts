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

it('lets an HAProxy that has just begun to serve have the processor, and nobody wait without one', async () => {
  const clock = new FakeClock();
  const start = new OwnStart(clock);
  const { signal } = new AbortController();
  await start.rest(signal);
  await start.noting(() => Promise.resolve(true));
  let isOver = false;
  const rest = start.rest(signal).then(() => (isOver = true));
  await clock.advance(1_999);
  expect(isOver).toBe(false);
  await clock.advance(1);
  await rest;
  await start.noting(() => Promise.resolve(true));
  await start.rest(AbortSignal.abort());
});
