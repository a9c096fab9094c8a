import { expect, it } from 'vitest';
import { Turns } from './turns.js';

it('turns are taken one after the other, also after one that failed', async () => {
  const turns = new Turns();
  const seen: string[] = [];
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const first = turns.take(async () => {
    seen.push('first begins');
    await opened;
    seen.push('first ends');
    throw new Error('first fails');
  });
  const second = turns.take(() => {
    seen.push('second');
    return Promise.resolve(2);
  });
  await Promise.resolve();
  expect(seen).toEqual(['first begins']);
  open();
  await expect(first).rejects.toThrow('first fails');
  expect(await second).toBe(2);
  expect(seen).toEqual(['first begins', 'first ends', 'second']);
});
