import * as z from 'zod';

import { discoveryBase } from '../config/fields.js';
import { defineWatcher } from './types.js';

/** Ruby's `base`: no source at all. Its service lives on `default_servers`. */
export const staticWatcher = defineWatcher({
  method: 'base',
  options: () => z.object({ method: z.literal('base'), ...discoveryBase }),
  create: () => ({
    run: (emit, signal) =>
      new Promise((resolve) => {
        emit({ status: 'live', instances: [] });
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      }),
  }),
});
