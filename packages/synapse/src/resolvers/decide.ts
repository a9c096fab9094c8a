import type { Resolution, ResolverSource } from './types.js';

/** Decides for one watcher: what it knows is what the service is. One that knows nothing is waited for. */
export function decideFor(source: ResolverSource | undefined): Resolution {
  if (source === undefined || source.snapshot.status === 'pending') return { kind: 'wait' };
  const { status, instances, generatorConfig } = source.snapshot;
  return {
    kind: 'resolved',
    used: [source.name],
    snapshot: { status, instances, ...(generatorConfig !== undefined && { generatorConfig }) },
  };
}
