import { run } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';

import type { Snapshot } from '../../catalog/types.js';
import { LossLog } from '../source/lossLog.js';
import { Repeater } from '../source/repeater.js';
import { maxInstances } from '../../catalog/limit.js';
import type { WatcherContext } from '../types.js';
import type { OpenNameServer } from './nameServer.js';
import type { NamedServer } from './resolution.js';
import { failureOf, Resolving, type ResolvingOptions } from './resolving.js';

type Known = Extract<Snapshot, { status: 'live' | 'stale' }>;

/** Follows a source whose instances have names for hosts, and emits their addresses in place of these. */
export async function followResolved(
  options: ResolvingOptions,
  openNames: OpenNameServer,
  follow: (emit: (snapshot: Snapshot) => void, signal: AbortSignal) => Promise<void>,
  context: Pick<WatcherContext, 'service' | 'clock' | 'logger' | 'events'>,
  emit: (snapshot: Snapshot) => void,
  signal: AbortSignal,
): Promise<void> {
  const resolving = new Resolving(options, context.clock, openNames);
  const repeater = new Repeater(context.clock);
  const loss = new LossLog(context.logger, 'dns');
  let registered: Known | undefined;
  /** What the names of the latest complete look were. */
  let resolved: readonly Instance[] | undefined;

  const show = (): void => {
    if (registered === undefined || resolved === undefined) return;
    const { reason } = loss;
    const tooMany = resolved.length > maxInstances ? [`More than ${maxInstances} instances`] : [];
    const own = [...(reason === undefined ? [] : [reason]), ...tooMany];
    const problems = [...own.map((each) => ({ path: 'dns', reason: each })), ...(registered.problems ?? [])];
    const { generatorConfig } = registered;
    emit({
      status: reason === undefined ? registered.status : 'stale',
      instances: resolved.slice(0, maxInstances),
      ...(generatorConfig !== undefined && { generatorConfig }),
      ...(problems.length > 0 && { problems }),
    });
  };
  const take = (snapshot: Snapshot): void => {
    if (snapshot.status === 'pending') return;
    const same = snapshot.instances === registered?.instances;
    registered = snapshot;
    // Whether the source lives is told at once; what is new has to be resolved before.
    if (same) show();
    else repeater.trigger();
  };
  const look = async (inner: AbortSignal): Promise<number> => {
    if (registered === undefined) return Infinity;
    const found = await resolving.look(registered.instances.map(serverOf), inner);
    const failure = failureOf(found);
    if (failure === undefined) loss.back();
    else {
      context.events?.dnsFailed(context.service);
      loss.lost(failure);
    }
    // Of names that were never resolved nothing is known: the others alone are no empty list.
    if (failure === undefined || found.complete || found.instances.length > 0) resolved = found.instances;
    show();
    return found.nextMs;
  };
  await run([(inner) => follow(take, inner), (inner) => repeater.run(look, inner)], signal);
}

function serverOf(instance: Instance): NamedServer {
  return { instance };
}
