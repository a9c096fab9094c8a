import * as z from 'zod';

import { dedupe } from '../catalog/select.js';
import { defineResolver, type Resolution, type ResolverSource } from './types.js';

/** Everything that these watchers know; of duplicates the one of the first watcher. */
export function unionOf(sources: readonly ResolverSource[]): Resolution {
  const told = sources.flatMap(({ name, snapshot }) =>
    snapshot.status === 'pending' ? [] : [{ name, ...snapshot }],
  );
  // A part of the whole would take the rest out of rotation.
  const isWaiting = sources.some(({ snapshot, waitedFor }) => snapshot.status === 'pending' && waitedFor);
  if (isWaiting || told.length === 0) return { kind: 'wait' };
  const isLive = told.length === sources.length && told.every(({ status }) => status === 'live');
  const config = told.find(({ generatorConfig: blocks }) => Object.keys(blocks ?? {}).length > 0);
  return {
    kind: 'resolved',
    used: told.map(({ name }) => name),
    snapshot: {
      status: isLive ? 'live' : 'stale',
      instances: dedupe(told.flatMap(({ instances }) => instances)),
      ...(config?.generatorConfig !== undefined && { generatorConfig: config.generatorConfig }),
    },
  };
}

/** All watchers together. */
export const unionResolver = defineResolver({
  method: 'union',
  options: () => z.object({ method: z.literal('union') }),
  takesAll: true,
  resolve: (_, { sources }) => unionOf(sources),
});
