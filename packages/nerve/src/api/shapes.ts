import * as z from 'zod';

const text = (max: number) => z.string().max(max);
const moment = z.number().describe('Wall clock milliseconds.');

/** Parts of a path that name something. */
export const serviceParam = { name: z.string().describe('The name of the service.') };

const pastResult = z
  .object({
    ok: z.boolean(),
    reason: z.string().optional().describe('Why it failed.'),
    at: moment,
    tookMs: z.number().describe('Milliseconds.'),
  })
  .meta({ id: 'CheckResult' });

const check = z
  .object({
    name: z.string(),
    health: z.enum(['unknown', 'up', 'down']),
    streak: z.int().describe('Results in a row that contradict `health`.'),
    last: pastResult.optional(),
    history: z
      .array(pastResult)
      .readonly()
      .optional()
      .describe('The last ten results, oldest first; where one service is asked for.'),
  })
  .meta({ id: 'Check' });

const plainState = {
  kind: z.enum(['absent', 'pending', 'present']),
  since: moment.optional(),
  place: z.string().optional().describe('Where it stands: a znode, a key, a file.'),
  error: z.string().optional(),
};

const registration = z
  .object({
    ...plainState,
    reporters: z
      .array(z.object({ ...plainState, reporter: z.string() }))
      .readonly()
      .optional()
      .describe('Each of them, where a service has several.'),
  })
  .meta({ id: 'Registration' });

const drain = z
  .object({
    reason: z.string().optional(),
    by: z.string().optional(),
    since: moment,
    until: moment.optional().describe('It ends by itself then. Wall clock milliseconds.'),
  })
  .meta({ id: 'Drain' });

/** The drain of the whole host, or null. */
export const hostDrain = drain.nullable();

/** One service, as /status shows it. */
export const serviceShape = z
  .object({
    service: z.string(),
    health: z.enum(['unknown', 'starting', 'up', 'down']),
    reason: z.string().optional().describe('Why it is not up.'),
    instance: z
      .object({ host: z.string(), port: z.int(), name: z.string().optional() })
      .describe('What is published.'),
    registration,
    drain: z
      .intersection(
        drain,
        z.object({
          scope: z.enum(['service', 'host']).describe("Whose drain it is: the service's own goes first."),
          phase: z
            .string()
            .describe('leaving while callers may still be there, left once they had their time.'),
        }),
      )
      .optional(),
    weight: z.object({
      configured: z.number().optional(),
      ordered: z
        .object({ value: z.int(), by: z.string().optional(), since: moment })
        .optional()
        .describe('Set at run time, in place of the configured one.'),
      published: z.number().optional().describe('What is registered; less than the others while it grows.'),
    }),
    held: z.string().optional().describe('Why it is not registered although it is healthy and not drained.'),
    throttled: z.boolean().describe('Whether the rate limit holds back a change of the registration.'),
    checks: z.array(check).readonly(),
    transitions: z
      .array(z.object({ at: moment, to: z.enum(['up', 'down']), reason: z.string().optional() }))
      .readonly()
      .describe('The latest changes of its health, oldest first.'),
  })
  .meta({ id: 'Service' });

/** What came of an order. */
export const orderResult = z
  .object({
    services: z.array(z.string()).readonly().describe('Whom it concerns.'),
    stillDrained: z
      .array(z.string())
      .readonly()
      .describe('Those of them that are drained now: by this order or another.'),
    saved: z.boolean().describe('False: it holds now, and a restart of the agent forgets it.'),
  })
  .meta({ id: 'OrderResult' });

/** Who asks, for logs and the status. */
export const by = text(200).optional().describe('Who asks for it.');

/** Why, for people. */
export const reason = text(500).optional().describe('Why, for people.');

/** A short text that comes with a heartbeat. */
export const note = text(1000).optional().describe('Why, for people; the first 200 characters are kept.');
