import { open, utimes } from 'node:fs/promises';
import { type Clock, describeError, type Logger, unlessAborted } from '@smartstack/agent';

/** airbnb's main loop: those who watch the file expect it to be at most this old, in milliseconds. */
const intervalMs = 10_000;

/**
 * Touches the file that `path` names at that moment, about every 10 s while `alive`. A path that
 * cannot be touched is logged once, and tried again.
 */
export async function heartbeat(
  path: () => string | undefined,
  alive: () => boolean,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  let failed: string | undefined;
  for (;;) {
    const file = path();
    if (file !== undefined && alive()) {
      try {
        await unlessAborted(touch(file, clock.now()), signal);
        failed = undefined;
      } catch (error) {
        const message = describeError(error);
        if (message !== failed) logger.warn('cannot touch the heartbeat file', { file, error: message });
        failed = message;
      }
    }
    await clock.sleep(intervalMs, signal);
  }
}

async function touch(file: string, nowMs: number): Promise<void> {
  const handle = await open(file, 'a');
  await handle.close();
  await utimes(file, nowMs / 1000, nowMs / 1000);
}
