import { expect, it, vi } from 'vitest';
import { RecordingGenerator } from '../testing/index.js';
import { LateGenerator } from './late.js';

const view = { services: [] };
const plan = { commands: [], reload: [], files: [], notes: ['a'] };
const trace = [{ steps: [], servers: [] }];
const innerOf = () =>
  Object.assign(new RecordingGenerator(), {
    plan: () => Promise.resolve(plan),
    trace: () => Promise.resolve(trace),
  });
const { signal } = new AbortController();

it('reads the code once, when there is something to do, and gives it the block of then', async () => {
  const inner = innerOf();
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
  const inner = innerOf();
  const load = vi.fn(() => Promise.reject<ReturnType<typeof innerOf>>(new Error('no disk')));
  const late = new LateGenerator({ name: 'x', block: 1, load, checkBlock: () => [] });
  await expect(late.reconcile(view, signal)).rejects.toThrow('no disk');
  load.mockResolvedValue(inner);
  const pass = late.reconcile(view, signal);
  late.configure(2);
  await pass;
  expect(inner.blocks).toEqual([2]);
});

it('hands on what is asked of it', async () => {
  const load = () => Promise.resolve(innerOf());
  const late = new LateGenerator({ name: 'x', block: 1, load, checkBlock: () => [] });
  expect(await late.plan(view, signal)).toBe(plan);
  expect(await late.trace([], signal)).toBe(trace);
});
