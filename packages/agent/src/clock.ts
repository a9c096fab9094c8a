/** A pending timer. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * The only source of time in the product. Injected everywhere, so that tests
 * drive time themselves (fake timers of test runners miss `node:timers/promises`).
 */
export interface Clock {
  /** Wall time in milliseconds since the epoch. May jump when the system's clock is set. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary origin. For every duration and deadline. */
  monotonic(): number;
  /** Calls `callback` once after `delayMs` milliseconds, unless cancelled. */
  setTimeout(callback: () => void, delayMs: number): Timer;
  /** Resolves after `delayMs` milliseconds; rejects with `signal.reason` when aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** Builds `sleep` on top of any `setTimeout`, so that real and fake clocks share its rules. */
export function sleepWith(
  setTimer: Clock['setTimeout'],
  delayMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = setTimer(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function setSystemTimer(callback: () => void, delayMs: number): Timer {
  const handle = setTimeout(callback, delayMs);
  return { cancel: () => clearTimeout(handle) };
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: setSystemTimer,
  sleep: (delayMs, signal) => sleepWith(setSystemTimer, delayMs, signal),
};
