import type { WeightsPlace } from '../../resolvers/types.js';
import { openS3 } from '../aws/s3.js';
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
  const object = openS3({ bucket, key, maxBytes: maxWeightsBytes });
  try {
    await poll(
      {
        ...{ everyMs, timeoutMs, onValue: take, onFailure: lost, clock },
        read: (asking) => object.read(asking),
      },
      signal,
    );
  } finally {
    object.close();
  }
}
