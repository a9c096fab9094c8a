import type { Clock } from './clock.js';

/** A long-running part of an agent. It returns when the signal aborts, and throws only when it cannot go on. */
export type Task = (signal: AbortSignal) => Promise<void>;

/**
 * Runs all tasks until one settles or `signal` aborts, then aborts the rest and waits for all.
 * Throws the first failure; a task that rejects because it was aborted did not fail.
 */
export async function run(tasks: readonly Task[], signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const failures: unknown[] = [];
  await Promise.all(
    tasks.map(async (task) => {
      try {
        await task(both);
      } catch (error) {
        if (!(both.aborted && error === both.reason)) failures.push(error);
      } finally {
        stop.abort();
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
}

/** Resolves when `signal` aborts: for a task that has nothing (more) to do, and must not end the others. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** What `work` resolves with, or undefined as soon as `signal` aborts: some work cannot be called off. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  let stop = (): void => undefined;
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** As `unlessAborted`, and undefined after `limitMs`, too: what can hang must hang alone. */
export async function within<T>(
  work: Promise<T>,
  limitMs: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const limit = new AbortController();
  const timer = clock.setTimeout(() => limit.abort(), limitMs);
  const either = signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]);
  return unlessAborted(work, either).finally(() => timer.cancel());
}

/** Lets everything else that is due have its turn: for work that would hold up the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
