import { type Clock, describeError, type Timer } from '@smartstack/agent';
import type { CheckResult } from '../health/health.js';
import type { Check } from './check.js';
import type { Trace } from './trace.js';

/** A timer that fired later than this was held up by the agent itself, not by what it tests. */
const tolerableLagMs = 20;

/** Why a probe's signal aborts. One for all: an error of its own for each, with its stack, costs a tenth of a probe. */
const over = new Error('the probe is over');

/**
 * Calls `expire` after `delayMs`. When the event loop was held up meanwhile, answers may lie unread
 * in the kernel: the time lost is granted once more, so that a busy agent does not fail its checks.
 */
export function startDeadline(clock: Clock, delayMs: number, expire: () => void): Timer {
  const due = clock.monotonic() + delayMs;
  let timer = clock.setTimeout(() => {
    const lagMs = clock.monotonic() - due;
    if (lagMs > tolerableLagMs) timer = clock.setTimeout(expire, Math.min(lagMs, delayMs));
    else expire();
  }, delayMs);
  return { cancel: () => timer.cancel() };
}

/**
 * Executes a check once and settles by its deadline, even if the check ignores its signal. A check
 * that throws has failed. Rejects only when `signal` aborts.
 */
export async function probeWithin(
  check: Check,
  clock: Clock,
  signal: AbortSignal,
  trace?: Trace,
): Promise<CheckResult> {
  signal.throwIfAborted();
  const stop = new AbortController();
  let abandon = (): void => undefined;
  let deadline: Timer | undefined;
  const bounded = new Promise<CheckResult>((resolve, reject) => {
    abandon = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abandon, { once: true });
    deadline = startDeadline(clock, check.deadlineMs, () =>
      resolve({ ok: false, reason: `no result within ${check.deadlineMs / 1000} s` }),
    );
  });
  try {
    return await Promise.race([bounded, settle(check, stop.signal, trace)]);
  } finally {
    signal.removeEventListener('abort', abandon);
    deadline?.cancel();
    stop.abort(over);
  }
}

async function settle(check: Check, signal: AbortSignal, trace: Trace | undefined): Promise<CheckResult> {
  try {
    return await check.probe(signal, trace);
  } catch (error) {
    return { ok: false, reason: describeError(error) };
  }
}
