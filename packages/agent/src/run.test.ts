import { describe, expect, it } from 'vitest';
import { nextTurn, run, type Task, unlessAborted, within } from './run.js';
import { FakeClock } from './testing/index.js';

describe('run', () => {
  const clock = new FakeClock();
  const forever: Task = (signal) => clock.sleep(1e9, signal);

  it('stops all when told to, and is content', async () => {
    const stop = new AbortController();
    const done = run([forever, forever], stop.signal);
    stop.abort();
    await done;
    expect(clock.pending).toBe(0);
  });

  it('stops the rest when one ends, and waits for them', async () => {
    const ended: string[] = [];
    const slow: Task = async (signal) => {
      await forever(signal).catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      ended.push('slow');
    };
    await run([slow, () => Promise.resolve()], new AbortController().signal);
    expect(ended).toEqual(['slow']);
  });

  it('throws the first failure, also of a task that throws at once or while stopping', async () => {
    const failing =
      (message: string): Task =>
      () =>
        Promise.reject(new Error(message));
    const throwing: Task = () => {
      throw new Error('at once');
    };
    const late: Task = async (signal) => {
      await forever(signal).catch(() => undefined);
      throw new Error('while stopping');
    };
    const { signal } = new AbortController();
    await expect(run([forever, failing('first'), failing('second')], signal)).rejects.toThrow('first');
    await expect(run([forever, throwing], signal)).rejects.toThrow('at once');
    await expect(run([late, () => Promise.resolve()], signal)).rejects.toThrow('while stopping');
    await expect(run([late, failing('first')], signal)).rejects.toThrow('first');
  });

  it('tells the tasks of a signal that was aborted before, and has nothing to do without tasks', async () => {
    const stop = new AbortController();
    stop.abort();
    await run([forever], stop.signal);
    await run([], new AbortController().signal);
  });

  it('throws a task failure that looks like an abort but is not ours', async () => {
    const other = AbortSignal.abort();
    await expect(
      run([() => Promise.reject(other.reason as Error)], new AbortController().signal),
    ).rejects.toThrow();
  });
});

describe('unlessAborted', () => {
  it('gives what the work gives, or nothing once the signal aborts', async () => {
    const stop = new AbortController();
    expect(await unlessAborted(Promise.resolve(1), stop.signal)).toBe(1);
    await expect(unlessAborted(Promise.reject(new Error('bad')), stop.signal)).rejects.toThrow('bad');
    const waiting = unlessAborted(new Promise(() => undefined), stop.signal);
    stop.abort();
    expect(await waiting).toBeUndefined();
    expect(await unlessAborted(new Promise(() => undefined), stop.signal)).toBeUndefined();
  });
});

describe('within', () => {
  it('gives up at the limit or at the abort, whichever is first, and leaves no timer', async () => {
    const clock = new FakeClock();
    const never = new Promise<number>(() => undefined);
    expect(await within(Promise.resolve(1), 10, clock)).toBe(1);
    await expect(within(Promise.reject(new Error('bad')), 10, clock)).rejects.toThrow('bad');
    const late = within(never, 10, clock);
    await clock.advance(10);
    expect(await late).toBeUndefined();
    const stop = new AbortController();
    const aborted = within(never, 10, clock, stop.signal);
    stop.abort();
    expect(await aborted).toBeUndefined();
    expect(clock.pending).toBe(0);
  });
});

describe('nextTurn', () => {
  it('lets what is due go first', async () => {
    let due = false;
    setImmediate(() => (due = true));
    await nextTurn();
    expect(due).toBe(true);
  });
});
