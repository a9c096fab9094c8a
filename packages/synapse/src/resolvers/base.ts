import * as z from 'zod';

import { defineResolver } from './types.js';

/** Ruby's `base`: nothing of what its watchers know. The service lives on `default_servers`. */
export const baseResolver = defineResolver({
  method: 'base',
  options: () => z.object({ method: z.literal('base') }),
  resolve: () => ({ kind: 'resolved', used: [], snapshot: { status: 'live', instances: [] } }),
});
