import { describeError } from '@smartstack/agent';
import type { FileWish } from '../file/fileFollower.js';
import { hashOf } from '../file/fileHash.js';
import { render } from '../desired/render.js';
import type { PassResult } from '../runtime/runtimePass.js';
import type { DesiredState, ReloadReason } from '../types.js';
import type { Wiring, WiringContext } from '../wiring.js';
import { isNobody } from './known.js';
import { reload } from './reload.js';
import { ReloadError } from './reloadError.js';

/** What was started, and the sockets on which nobody answers all the same. */
export interface Started {
  readonly accepted: DesiredState;
  readonly silent: readonly string[];
}

/**
 * Starts an HAProxy of ours that does not run on a file that nobody has checked: its start says as much as a check,
 * and routes are there sooner. Undefined where it is not for us to start it, or it did not start; then the file is as
 * before, and a check tells why. Throws when `signal` aborts or the file cannot be written.
 */
export async function startAtOnce(
  wiring: Wiring,
  context: WiringContext,
  results: readonly PassResult[],
  { reasons, wish, signal }: { reasons: readonly ReloadReason[]; wish: FileWish; signal: AbortSignal },
): Promise<Started | undefined> {
  const { keeper, process, gate, ownStart } = wiring;
  if (process.ensure === undefined || wish.isStandIn === true || !isNobody(results)) return undefined;
  if (gate.waitMs(reasons, '') > 0) return undefined;
  let started: Started | undefined;
  const start = async (accepted: DesiredState): Promise<boolean> => {
    try {
      const { silent } = await reload(wiring, context, results, accepted, signal, false);
      started = { accepted, silent };
      gate.attempted(reasons, hashOf(render(accepted)));
    } catch (error) {
      if (!(error instanceof ReloadError)) throw error;
      const problem = describeError(error);
      context.logger.warn('haproxy does not start on a file that was not checked yet', { problem });
    }
    return started !== undefined;
  };
  await keeper.tryOut(wish.desired, wish.shared, (accepted) => ownStart.noting(() => start(accepted)));
  return started;
}
