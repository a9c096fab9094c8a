import { type ProcessIdentity, sameProcess } from '../loaded/beliefs.js';
import { isNobody } from './known.js';
import type { PassResult } from '../runtime/runtimePass.js';
import type { RuntimeTarget } from '../runtime/runtimeTarget.js';
import type { DesiredState } from '../types.js';
import type { Wiring, WiringContext } from '../wiring.js';

const pollMs = 10;

/**
 * Makes every process load the file, and waits until its new worker answers; one of ours that is gone is started
 * instead. `silent` lists the sockets on which nobody did although the reload itself succeeded. Throws ReloadError; the
 * old workers then go on serving.
 */
export async function reload(
  wiring: Wiring,
  context: WiringContext,
  results: readonly PassResult[],
  accepted: DesiredState,
  signal: AbortSignal,
): Promise<{ readonly how: 'reloaded' | 'started'; readonly silent: readonly string[] }> {
  const { process, counters, beliefs, targets } = wiring;
  const file = beliefs.written;
  // A process that was gone and is started now has loaded the file: reloading it again would be for nothing.
  let how: 'reloaded' | 'started' = 'started';
  const lookedAt = Math.max(...results.map(({ at }) => at));
  if (!isNobody(results) || (await process.ensure?.(signal, lookedAt)) !== 'started') {
    await counters.lastReading(signal);
    how = await process.reload(signal);
    for (const target of targets) {
      const old = results.find(({ socket }) => socket === target.socketPath)?.process;
      if (old !== undefined && file !== undefined) target.noteReload(old, file);
    }
  }
  return { how, silent: await awaitWorkers(wiring, context, results, accepted, signal) };
}

/** Waits until the worker of each process answers that has loaded `accepted`. Returns the sockets on which none does. */
export async function awaitWorkers(
  { targets, beliefs }: Wiring,
  context: WiringContext,
  results: readonly PassResult[],
  accepted: DesiredState,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const before = new Map(results.map((result) => [result.socket, result.process]));
  const answers = await Promise.all(
    targets.map(async (target) => {
      const old = before.get(target.socketPath);
      const worker = await successor(target, old, context, signal);
      if (worker === undefined) return [target.socketPath];
      if (old !== undefined) target.retire(old);
      target.invalidate();
      beliefs.setRunning(target.socketPath, worker, accepted);
      return [];
    }),
  );
  return answers.flat();
}

/** The worker that answers now, once it is not the old one; that may still accept a connection after the reload. */
async function successor(
  target: RuntimeTarget,
  old: ProcessIdentity | undefined,
  { clock, timing }: WiringContext,
  signal: AbortSignal,
): Promise<ProcessIdentity | undefined> {
  const end = clock.monotonic() + timing.answerMs;
  for (;;) {
    const now = await target.identify(signal).catch(() => undefined);
    signal.throwIfAborted();
    if (now !== undefined && (old === undefined || !sameProcess(now, old))) return now;
    if (clock.monotonic() >= end) return undefined;
    await clock.sleep(pollMs, signal);
  }
}
