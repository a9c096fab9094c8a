import { Backoff, type Clock, describeError, type Logger } from '@smartstack/agent';

import type { Snapshot, Watcher } from '../catalog/types.js';

export interface SuperviseOptions {
  readonly create: () => Watcher;
  readonly emit: (snapshot: Snapshot) => void;
  readonly onStarted?: () => void;
  readonly onFailed?: (error: unknown) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Runs a watcher until `signal` aborts. One that throws or returns has a bug: it must not take the others, or the
 * agent, with it. It is started again, and what it told is stale until it tells more.
 */
export async function supervise(options: SuperviseOptions, signal: AbortSignal): Promise<void> {
  const { create, emit, onStarted, onFailed, clock, logger } = options;
  const backoff = new Backoff({ minMs: 1_000, maxMs: 60_000 });
  const stopped = (): boolean => signal.aborted;
  let last: Snapshot | undefined;
  while (!stopped()) {
    try {
      const watcher = create();
      onStarted?.();
      await watcher.run((snapshot) => {
        last = snapshot;
        emit(snapshot);
      }, signal);
      if (!stopped()) logger.error('a watcher ended by itself, starting it again');
    } catch (error) {
      if (!stopped()) {
        onFailed?.(error);
        logger.error('a watcher failed, starting it again', { error: describeError(error) });
      }
    }
    if (stopped()) return;
    if (last?.status === 'live') emit({ ...last, status: 'stale' });
    await clock.sleep(backoff.next(), signal).catch(() => undefined);
  }
}
