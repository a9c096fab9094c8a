import { describeError } from '@smartstack/agent';
import type { FileWish } from '../file/fileFollower.js';
import { hashOf } from '../file/fileHash.js';
import { render } from '../desired/render.js';
import type { PassResult } from '../runtime/runtimePass.js';
import type { DesiredState, ReloadReason } from '../types.js';
import type { Wiring, WiringContext } from '../wiring.js';
import { isNobody } from './known.js';
import { awaitWorkers } from './reload.js';
import { ReloadError } from './reloadError.js';

/** What was started, and the sockets on which nobody answers all the same. */
export interface Started {
  readonly accepted: DesiredState;
  readonly silent: readonly string[];
}

/**
 * Starts an HAProxy of ours that does not run on a file that nobody has checked: its start says as much as a check,
 * and routes are there sooner. Undefined where it is not for us to start it, or it did not start; then the file is as
 * before, and a check tells why. 'running' where it was started meanwhile, on the file that was there: then nothing was
 * done. Throws when `signal` aborts or the file cannot be written.
 */
export async function startAtOnce(
  wiring: Wiring,
  context: WiringContext,
  results: readonly PassResult[],
  { reasons, wish, signal }: { reasons: readonly ReloadReason[]; wish: FileWish; signal: AbortSignal },
): Promise<Started | 'running' | undefined> {
  const { keeper, process, gate, ownStart } = wiring;
  if (process.startWith === undefined || wish.isStandIn === true || !isNobody(results)) return undefined;
  if (gate.waitMs(reasons, '') > 0) return undefined;
  let started: Started | undefined;
  const begin = async (start: () => Promise<void>, accepted: DesiredState): Promise<boolean> => {
    try {
      await start();
      started = { accepted, silent: await awaitWorkers(wiring, context, results, accepted, signal) };
      gate.attempted(reasons, hashOf(render(accepted)));
    } catch (error) {
      if (!(error instanceof ReloadError)) throw error;
      const problem = describeError(error);
      context.logger.warn('haproxy does not start on a file that was not checked yet', { problem });
    }
    return started !== undefined;
  };
  const outcome = await process.startWith(
    (start) =>
      keeper.tryOut(wish.desired, wish.shared, (accepted) => ownStart.noting(() => begin(start, accepted))),
    signal,
  );
  return outcome === 'running' ? outcome : started;
}
