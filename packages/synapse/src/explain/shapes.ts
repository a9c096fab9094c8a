import * as z from 'zod';

const moment = z.number().describe('Wall clock milliseconds.');

const step = z
  .object({
    step: z.enum([
      'source',
      'watcher',
      'decoded',
      'filter',
      'fallback',
      'desired',
      'loaded',
      'running',
      'tier',
    ]),
    generator: z.string().optional().describe('Whose step it is, from `desired` on.'),
    ok: z.boolean().describe('Whether it goes on from here.'),
    at: moment.optional().describe('Since when it is so, where that is known.'),
    detail: z.string(),
  })
  .meta({ id: 'Step' });

const explainedServer = z
  .object({
    server: z.string().describe("The generator's name of it."),
    host: z.string().optional(),
    port: z.number().optional(),
    address: z.string().optional(),
    state: z.string(),
    weight: z.number().optional(),
    takesTraffic: z.boolean(),
    watcher: z
      .string()
      .optional()
      .describe('Where its service has several watchers (multi): the one that it comes from.'),
    tier: z.string().optional().describe('The nearest tier of its service that it is in (locality).'),
    standsBy: z.boolean().optional().describe('It would take traffic, but that goes to nearer servers.'),
    reason: z.string().optional().describe('Why it takes no traffic.'),
    note: z.string().optional().describe('Why its weight is what it is, where that is not its own.'),
    steps: z.array(step).readonly(),
  })
  .meta({ id: 'ExplainedServer' });

const tier = z
  .object({
    generator: z.string(),
    tier: z.string().describe('The level.'),
    backend: z.string(),
    minimum: z.number().describe('So many servers must take traffic before it is used.'),
    servers: z.number(),
    serving: z.number(),
    active: z.boolean().describe('Requests go there now.'),
    reason: z.string(),
  })
  .meta({ id: 'Tier' });

/** A service, from its source to what runs. */
export const explanationShape = z
  .object({
    service: z.string(),
    source: z.enum(['pending', 'live', 'stale', 'default', 'previous']),
    ok: z.boolean().describe('Whether every step is.'),
    reason: z.string().optional().describe('Of the first step that is not.'),
    steps: z.array(step).readonly(),
    tiers: z
      .array(tier)
      .readonly()
      .optional()
      .describe('Nearest first; absent where it has none (locality).'),
    servers: z.array(explainedServer).readonly(),
  })
  .meta({ id: 'Explanation' });

/** A service in a line. */
export const serviceShape = z
  .object({
    service: z.string(),
    source: z.enum(['pending', 'live', 'stale', 'default', 'previous']),
    staleMs: z.number().describe('For how long its source has been lost; 0 while it is live.'),
    discovered: z.number().describe('Registrations that could be read, those included that are held.'),
    held: z.number().describe('Those that vanished with most others, and are kept for a time.'),
    instances: z.number().describe('Those that are to serve.'),
    problems: z.number().describe('Registrations that could not be read.'),
    servers: z.number().describe('Servers that are known.'),
    takesTraffic: z.number().describe('Those of them that take traffic.'),
    tier: z.string().optional().describe('Of a service with tiers: the one that requests go to, or `all`.'),
    reason: z.string().optional().describe('What is not as it should be.'),
  })
  .meta({ id: 'Service' });

/** A server in a line. */
export const serverShape = explainedServer
  .omit({ steps: true })
  .extend({
    service: z.string(),
    desired: z.boolean(),
    loaded: z.boolean(),
    running: z.boolean(),
    since: moment.optional().describe('Of the state.'),
  })
  .meta({ id: 'Server' });

/** What the next reconcile would do. */
export const planShape = z
  .object({
    generators: z
      .array(
        z.object({
          generator: z.string(),
          commands: z
            .array(
              z.object({
                kind: z.string(),
                target: z.string(),
                detail: z.string(),
                service: z.string().optional(),
              }),
            )
            .readonly(),
          reload: z.array(z.object({ kind: z.string(), detail: z.string() })).readonly(),
          files: z.array(z.object({ path: z.string(), changes: z.array(z.string()).readonly() })).readonly(),
          notes: z.array(z.string()).readonly(),
        }),
      )
      .readonly(),
    waitingFor: z.array(z.string()).readonly().describe('Services of which nothing is known yet.'),
  })
  .meta({ id: 'Plan' });

export type Step = z.output<typeof step>;
export type ExplainedServer = z.output<typeof explainedServer>;
export type Explanation = z.output<typeof explanationShape>;
export type ServiceLine = z.output<typeof serviceShape>;
export type ServerLine = z.output<typeof serverShape>;
export type PlanAnswer = z.output<typeof planShape>;
