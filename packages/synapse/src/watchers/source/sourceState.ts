import type { Instance } from '@smartstack/registry';

import { maxInstances } from '../../catalog/limit.js';
import type { Snapshot, SourceProblem } from '../../catalog/types.js';
import type { WatcherContext } from '../types.js';
import { LossLog } from './lossLog.js';

/** So many of a source's instances as a service can have, the first ones, and what is wrong where there are more. */
function withinLimit(
  instances: readonly Instance[],
  source: string,
): { readonly instances: readonly Instance[]; readonly problem: SourceProblem | undefined } {
  const tooMany = instances.length - maxInstances;
  if (tooMany <= 0) return { instances, problem: undefined };
  const reason = `More than ${maxInstances} instances: ${tooMany} are left out`;
  return { instances: instances.slice(0, maxInstances), problem: { path: source, reason } };
}

/** What a source tells of single registrations. */
export interface SourceReading {
  readonly instances: readonly Instance[];
  /** What cannot be used, and was left out. */
  readonly problems?: readonly SourceProblem[];
}

/**
 * What a source is known to hold, and whether it can be reached: makes the snapshots, and tells what is wrong, each
 * thing once.
 */
export class SourceState {
  readonly #context: Pick<WatcherContext, 'service' | 'logger' | 'metrics'>;
  readonly #source: string;
  readonly #emit: (snapshot: Snapshot) => void;
  #known: SourceReading | undefined;
  readonly #loss: LossLog;
  #told: ReadonlySet<string> = new Set();

  /** `source` names it in the log and in problems. */
  constructor(
    context: Pick<WatcherContext, 'service' | 'logger' | 'metrics'>,
    source: string,
    emit: (snapshot: Snapshot) => void,
  ) {
    this.#context = context;
    this.#source = source;
    this.#emit = emit;
    this.#loss = new LossLog(context.logger, source);
  }

  /** The source was read completely. */
  live(reading: SourceReading): void {
    this.#loss.back();
    this.#take(reading);
    this.#show();
  }

  /** It cannot be read, for a reason; or only in part, which is `reading`. The last instances stay. */
  lost(reason: string, reading?: SourceReading): void {
    this.#loss.lost(reason);
    if (reading !== undefined) this.#take(reading);
    this.#show();
  }

  #take({ instances, problems = [] }: SourceReading): void {
    const { instances: known, problem } = withinLimit(instances, this.#source);
    const all = problem === undefined ? problems : [...problems, problem];
    this.#tell(all);
    this.#known = { instances: known, problems: all };
  }

  #tell(problems: readonly SourceProblem[]): void {
    const { logger, metrics, service } = this.#context;
    const told = new Set<string>();
    for (const { path, reason } of problems) {
      const key = JSON.stringify([path, reason]);
      if (!this.#told.has(key) && !told.has(key)) {
        metrics.undecodable(service);
        logger.warn('bad registration', { path, reason });
      }
      told.add(key);
    }
    this.#told = told;
  }

  #show(): void {
    // Nothing known is no empty list.
    if (this.#known === undefined) return;
    const { instances, problems: bad = [] } = this.#known;
    const { reason } = this.#loss;
    const problems = reason === undefined ? bad : [{ path: this.#source, reason }, ...bad];
    this.#emit({
      status: reason === undefined ? 'live' : 'stale',
      instances,
      ...(problems.length > 0 && { problems }),
    });
  }
}
