import type { Clock } from '@smartstack/agent';
import { describeExit, runCommand } from '../checks/command.js';
import { oneLine } from '../checks/oneLine.js';
import type { CheckResult } from '../health/health.js';

/** How much of a command's output is kept for the reason of a failure, in characters. */
const maxOutput = 200;

/** A command of a service's lifecycle: a program and its arguments; no shell sees them. */
export interface Hook {
  readonly argv: readonly string[];
  /** It is killed after so many milliseconds, with whatever it started. */
  readonly timeoutMs: number;
  readonly env: Readonly<Record<string, string>>;
}

/** Runs a command to its end or its limit; nothing of it is left afterwards. Never rejects. */
export async function runHook(hook: Hook, clock: Clock, signal: AbortSignal): Promise<CheckResult> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  const timer = clock.setTimeout(end, hook.timeoutMs);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  let kept = '';
  const onOutput = (text: string): void => void (kept = (kept + text.slice(-maxOutput)).slice(-maxOutput));
  const result = await runCommand({ ...hook, clock, signal: stop.signal, onOutput });
  timer.cancel();
  signal.removeEventListener('abort', end);
  if (result.kind === 'exited' && result.code === 0) return { ok: true };
  if (result.kind === 'exited') {
    const said = oneLine(kept);
    return { ok: false, reason: `${describeExit(result.code, result.by)}${said && `: ${said}`}` };
  }
  const late = stop.signal.aborted && !signal.aborted;
  return { ok: false, reason: late ? `not done within ${hook.timeoutMs / 1000} s` : result.reason };
}
