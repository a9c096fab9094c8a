import * as z from 'zod';

import { defineResolver, type WeightsPlace } from './types.js';
import { decideByWeights } from './weights.js';

const url = /^s3:\/\/([^/]+)\/(.+)$/s;

const options = () =>
  z.object({
    method: z.literal('s3_toggle'),
    s3_url: z
      .string()
      .regex(url, 'expected s3://bucket/key')
      .describe('s3://bucket/key of a YAML file of weights, `watcher: weight`.'),
    s3_polling_interval_seconds: z
      .number()
      .positive()
      .max(86_400)
      .describe('Seconds between two looks at it.'),
  });

/** The watcher that a file of weights in S3 chooses. */
export const s3ToggleResolver = defineResolver({
  method: 's3_toggle',
  options,
  weights: ({ s3_url: at, s3_polling_interval_seconds: seconds }): WeightsPlace => {
    const [, bucket = '', key = ''] = url.exec(at) ?? [];
    return { kind: 's3', bucket, key, everyMs: seconds * 1000 };
  },
  resolve: (_, input) => decideByWeights(input),
});
