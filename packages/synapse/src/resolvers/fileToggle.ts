import * as z from 'zod';

import { defineResolver } from './types.js';
import { decideByWeights } from './weights.js';

/** The watcher that a local file of weights chooses. */
export const fileToggleResolver = defineResolver({
  method: 'file_toggle',
  options: () =>
    z.object({
      method: z.literal('file_toggle'),
      file: z
        .string()
        .regex(/^\/./, 'expected an absolute path')
        .describe('A YAML file of weights, `watcher: weight`; followed while synapse runs.'),
    }),
  weights: ({ file }) => ({ kind: 'file', file }),
  resolve: (_, input) => decideByWeights(input),
});
