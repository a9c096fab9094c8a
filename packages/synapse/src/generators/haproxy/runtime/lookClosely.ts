import type { Clock } from '@smartstack/agent';

/** Between two looks, in milliseconds. */
const closeMs = 25;
/** How long a reload may take to tell the old workers to end, in milliseconds. */
const longestMs = 3_000;
/** What a look may cost at most, in milliseconds of processor time. */
const dearMs = 5;

/** Whether something costs too much to be done that often. */
export function isDear(costMs: number | undefined): boolean {
  return costMs !== undefined && costMs > dearMs;
}

/**
 * Looks again and again while a reload is under way, for a few seconds at most: an HAProxy that is told to end throws
 * its stick tables away at once (seen on 2.6.12), and with them what it counted since the last look.
 */
export async function lookClosely(
  clock: Clock,
  signal: AbortSignal,
  { isWorthIt, look }: { readonly isWorthIt: () => boolean; readonly look: () => Promise<void> },
): Promise<void> {
  const until = clock.monotonic() + longestMs;
  while (!signal.aborted && clock.monotonic() < until && isWorthIt()) {
    await clock.sleep(closeMs, signal).catch(() => undefined);
    await look();
  }
}
