import { describeError } from '@smartstack/agent';

import type { Weights, WeightsPlace } from '../../resolvers/types.js';
import { parseWeights, weightsProblem } from '../../resolvers/weights.js';
import type { WatcherContext } from '../types.js';
import { ToggleCounts } from './toggleCounts.js';
import { followWeightsFile } from './weightsFile.js';
import { followWeightsObject } from './weightsObject.js';

/** Where weights are, for people. */
export function describePlace(place: WeightsPlace): string {
  return place.kind === 'file' ? place.file : `s3://${place.bucket}/${place.key}`;
}

/** The last good weights, and why they are not those of the file, or not all of them. */
export interface WeightsState {
  readonly weights: Weights | undefined;
  readonly problem: string | undefined;
}

export interface FollowWeightsOptions {
  readonly place: WeightsPlace;
  /** Names of the watchers that there are. */
  readonly watchers: readonly string[];
  /** That of whoever decides by the weights. */
  readonly seed: string;
  readonly context: Pick<WatcherContext, 'clock' | 'logger' | 'events'>;
}

/** Tells the weights at a place whenever they, or what is wrong with them, change. The last good ones stay in force. */
export async function followWeights(
  { place, watchers, seed, context }: FollowWeightsOptions,
  tell: (state: WeightsState) => void,
  signal: AbortSignal,
): Promise<void> {
  let weights: Weights | undefined;
  let told: string | undefined;
  const note = (problem: string | undefined): void => {
    const where = { place: describePlace(place) };
    if (problem !== undefined && problem !== told)
      context.logger.warn('weights cannot be used, the choice of a watcher stays', {
        ...where,
        reason: problem,
      });
    if (problem === undefined && told !== undefined) context.logger.info('weights can be used again', where);
    told = problem;
    tell({ weights, problem });
  };
  const events = place.kind === 's3' ? context.events : undefined;
  const counts = events && new ToggleCounts(watchers, seed, events);
  const take = (text: string): void => {
    try {
      const read = parseWeights(text);
      counts?.read(read);
      const problem = weightsProblem(read, watchers);
      // With a name that nobody has, the others still count.
      if ([...read].some(([name, weight]) => weight > 0 && watchers.includes(name))) weights = read;
      note(problem);
    } catch (error) {
      counts?.failed(error instanceof SyntaxError ? 'parse_error' : undefined);
      note(describeError(error));
    }
  };
  const lost = (error: unknown): void => {
    counts?.failed('s3_error');
    note(describeError(error));
  };
  const listener = { take, lost };
  if (place.kind === 'file') await followWeightsFile(place.file, context, listener, signal);
  else await followWeightsObject(place, context, listener, signal);
}
