import type { WeightsPlace } from '../../resolvers/types.js';
import { readObject } from '../aws/s3.js';
import { poll } from '../source/poll.js';
import type { WatcherContext } from '../types.js';
import { maxWeightsBytes, type TextListener } from './weightsFile.js';

const timeoutMs = 10_000;

/** Reads an object of S3 now and time and again. */
export async function followWeightsObject(
  { bucket, key, everyMs }: Extract<WeightsPlace, { kind: 's3' }>,
  { clock }: Pick<WatcherContext, 'clock'>,
  { take, lost }: TextListener,
  signal: AbortSignal,
): Promise<void> {
  await poll(
    {
      everyMs,
      timeoutMs,
      read: (asking) => readObject({ bucket, key, maxBytes: maxWeightsBytes }, asking),
      onValue: take,
      onFailure: lost,
      clock,
    },
    signal,
  );
}
