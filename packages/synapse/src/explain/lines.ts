import type { CatalogStatus } from '../catalog/catalog.js';
import type { Explanation, ServerLine, ServiceLine } from './shapes.js';

/** A service in a line. */
export function serviceLine(
  status: CatalogStatus,
  { servers, reason, source, tiers }: Explanation,
): ServiceLine {
  const { name: service, staleMs, discovered, held, instances, problems } = status;
  const ends = servers.filter(({ steps }) => steps.some(({ step }) => step === 'desired'));
  return {
    ...{ service, source, staleMs, discovered, held },
    ...{ instances: instances.length, problems: problems.length },
    servers: ends.length,
    takesTraffic: ends.filter(({ takesTraffic }) => takesTraffic).length,
    ...(tiers !== undefined && { tier: tiers.find(({ active }) => active)?.tier ?? 'all' }),
    ...(reason !== undefined && { reason }),
  };
}

/** The servers of a service, each in a line. */
export function serverLines({ service, servers }: Explanation): readonly ServerLine[] {
  return servers.map(({ steps, ...server }) => {
    const reached = (name: string): boolean => {
      const own = steps.filter(({ step }) => step === name);
      return own.length > 0 && own.every(({ ok }) => ok);
    };
    const since = steps.findLast(({ step }) => step === 'running')?.at;
    return {
      ...{ service, ...server },
      desired: reached('desired'),
      loaded: reached('loaded'),
      running: reached('running'),
      ...(since !== undefined && { since }),
    };
  });
}
