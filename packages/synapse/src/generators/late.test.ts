import { expect, it, vi } from 'vitest';
import { RecordingGenerator } from '../testing/index.js';
import { LateGenerator } from './late.js';

const view = { services: [] };
const { signal } = new AbortController();

it('reads the code once, when there is something to do, and gives it the block of then', async () => {
  const inner = new RecordingGenerator();
  const load = vi.fn(() => Promise.resolve(inner));
  const late = new LateGenerator({ name: 'x', block: { a: 1 }, load, checkBlock: () => [] });
  expect(late.status()).toEqual({});
  late.configure({ a: 2 });
  expect(load).not.toHaveBeenCalled();
  const stop = new AbortController();
  const running = late.run(() => undefined, stop.signal);
  await late.reconcile(view, signal);
  await late.reconcile(view, signal);
  stop.abort();
  await running;
  expect(load.mock.calls).toEqual([[{ a: 2 }]]);
  expect(inner.views).toEqual([view, view]);
  late.configure({ a: 3 });
  expect(inner.blocks).toEqual([{ a: 3 }]);
});

it('takes a block that comes while the code is read, and tries again what failed', async () => {
  const inner = new RecordingGenerator();
  const load = vi.fn(() => Promise.reject<RecordingGenerator>(new Error('no disk')));
  const late = new LateGenerator({ name: 'x', block: 1, load, checkBlock: () => [] });
  await expect(late.reconcile(view, signal)).rejects.toThrow('no disk');
  load.mockResolvedValue(inner);
  const pass = late.reconcile(view, signal);
  late.configure(2);
  await pass;
  expect(inner.blocks).toEqual([2]);
});
