import * as z from 'zod';
import type { Instance } from './instance.js';

const instance = z
  .object({
    host: z.string().describe('As it was registered: never trusted.'),
    port: z.int().min(1).max(65_535),
    name: z.string().optional().describe("The registrar's instance_id."),
    id: z.int().optional().describe("The node's sequence number in ZooKeeper, where it has one."),
    weight: z.number().optional().describe('Share of the traffic; 0 takes no new traffic.'),
    haproxyServerOptions: z.string().optional(),
    labels: z.record(z.string(), z.unknown()).optional(),
    held: z
      .literal(true)
      .optional()
      .describe('Its registry lost it with most others at once: it is kept for a time, where it is checked.'),
  })
  .meta({ id: 'Instance' });

/** What the agents answer when they are asked for the instances of a service. */
export const instanceListSchema = z
  .object({
    service: z.string(),
    source: z
      .enum(['pending', 'live', 'stale', 'default', 'previous'])
      .describe(
        'live: as the registry has it now; stale: the registry cannot be reached, these were the last; default, previous: the registry has none, these stand in; pending: nothing is known yet.',
      ),
    instances: z.array(instance).readonly().describe('In the order of host, port and name.'),
    problems: z
      .array(z.object({ path: z.string(), reason: z.string() }))
      .readonly()
      .describe('Registrations that cannot be understood, and are left out.'),
  })
  .meta({ id: 'InstanceList' });

/** The instances of one service, for programs that want a list. */
export type InstanceList = z.output<typeof instanceListSchema>;

/** Makes the list that is shown of what was found. Problems beyond the first 50 are left out. */
export function instanceList(
  found: Pick<InstanceList, 'service' | 'source' | 'problems'> & { readonly instances: readonly Instance[] },
): InstanceList {
  const { service, source, problems } = found;
  const instances = found.instances
    .map(({ host, port, name, id, weight, haproxyServerOptions, labels, held }) => ({
      host,
      port,
      ...(name !== undefined && { name }),
      ...(id !== undefined && { id }),
      ...(weight !== undefined && { weight }),
      ...(haproxyServerOptions !== undefined && { haproxyServerOptions }),
      ...(labels !== undefined && { labels }),
      ...(held && { held }),
    }))
    .sort(
      (a, b) =>
        compare(a.host, b.host) ||
        a.port - b.port ||
        compare(a.name ?? '', b.name ?? '') ||
        (a.id ?? 0) - (b.id ?? 0),
    );
  return { service, source, instances, problems: problems.slice(0, 50) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
