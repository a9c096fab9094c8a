import type { Clock } from './clock.js';

/** How often the clocks are compared, in milliseconds. */
const lookMs = 500;
/** Clocks that drifted apart by more are told of, in milliseconds. */
const toleranceMs = 500;

/**
 * Calls `onJump` soon after the wall clock was set, or has drifted from the monotonic one in little steps, with by how
 * many milliseconds it is ahead of where it would be. Whatever carries a wall time for others to compare with theirs
 * (a file's time) is wrong then. Returns how to stop.
 */
export function followJumps(clock: Clock, onJump: (byMs: number) => void): () => void {
  const offset = (): number => clock.now() - clock.monotonic();
  let known = offset();
  const look = (): void => {
    timer = clock.setTimeout(look, lookMs);
    const found = offset();
    const byMs = found - known;
    if (Math.abs(byMs) <= toleranceMs) return;
    known = found;
    onJump(byMs);
  };
  let timer = clock.setTimeout(look, lookMs);
  return () => timer.cancel();
}
