import { type Clock, describeError, type Logger, run, type Task, watchFiles } from '@smartstack/agent';

import { Repeater } from '../source/repeater.js';

/** Waits before a path is watched again after that failed, in milliseconds. */
const rewatchMs = 30_000;

/** How to follow a file or a folder. */
export interface FollowOptions {
  readonly path: string;
  /** Looks at it; resolves with the milliseconds until the next look, unless something changes before. Never rejects. */
  readonly look: (signal: AbortSignal) => Promise<number>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Looks at a path now, and whenever something changes there. Runs until `signal` aborts. */
export async function followDisk(
  { path, look, clock, logger }: FollowOptions,
  signal: AbortSignal,
): Promise<void> {
  const repeater = new Repeater(clock);
  const watch: Task = async (inner) => {
    while (!inner.aborted) {
      try {
        const onChange = (): void => repeater.trigger();
        // The first look may be older than the watch: whatever is there then counts as a change.
        const task = await watchFiles({ paths: [path], seen: '', onChange, clock, logger });
        await task(inner);
      } catch (error) {
        // It rejects, too, when it is stopped; then the pause is none.
        if (!isStopped(inner))
          logger.warn('cannot watch files, looking periodically', { error: describeError(error) });
        await clock.sleep(rewatchMs, inner).catch(() => undefined);
        repeater.trigger();
      }
    }
  };
  await run([(inner) => repeater.run(look, inner), watch], signal);
}

function isStopped(signal: AbortSignal): boolean {
  return signal.aborted;
}
