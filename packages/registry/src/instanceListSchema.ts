import * as z from 'zod';

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
