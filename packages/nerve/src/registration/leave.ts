import type { Clock, Logger } from '@smartstack/agent';
import type { DrainDefinition } from '../config/lifecycle.js';
import { runHook } from './hook.js';

/** One asking whether callers have let go is killed after so many milliseconds. */
const askMs = 10_000;

/** How the wait for callers ended. */
export type LeaveEnd = 'let go' | 'took too long';

/**
 * Waits until the callers of an instance that was just withdrawn have let go: at least `minMs`, then until the
 * done command exits with 0, at most `maxMs`. Rejects only when `signal` aborts; no process is left then.
 */
export async function leave(
  drain: DrainDefinition,
  env: Readonly<Record<string, string>>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<LeaveEnd> {
  const started = clock.monotonic();
  const restMs = (): number => drain.maxMs - (clock.monotonic() - started);
  await clock.sleep(drain.minMs, signal);
  const { doneCommand: argv } = drain;
  if (argv === undefined) return 'let go';
  let told: string | undefined;
  while (restMs() > 0) {
    const asked = clock.monotonic();
    const result = await runHook({ argv, env, timeoutMs: Math.min(askMs, restMs()) }, clock, signal);
    signal.throwIfAborted();
    if (result.ok) return 'let go';
    if (result.reason !== told) logger.info('callers have not let go yet', { reason: result.reason });
    told = result.reason;
    const pauseMs = asked + drain.doneIntervalMs - clock.monotonic();
    await clock.sleep(Math.max(0, Math.min(pauseMs, restMs())), signal);
  }
  logger.warn('callers did not let go in time', { maxSeconds: drain.maxMs / 1000 });
  return 'took too long';
}
