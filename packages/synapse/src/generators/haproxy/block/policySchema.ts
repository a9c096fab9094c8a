import * as z from 'zod';
import { duration, integer } from './schemaFields.js';

/** What HAProxy may take for a reason to try a request again. */
const retryReasons = [
  ...['conn-failure', 'empty-response', 'junk-response', 'response-timeout', '0rtt-rejected'],
  ...['404', '408', '425', '500', '501', '502', '503', '504'],
] as const;

/** A number is what people write for a status. */
const retryReason = z.preprocess(
  (value) => (typeof value === 'number' ? String(value) : value),
  z.enum(retryReasons, `must be one of ${retryReasons.join(', ')}`),
);

const method = z.string().regex(/^[A-Z]{1,20}$/, 'must be a method in capitals: GET, HEAD …');

const route = z
  .strictObject({
    methods: z
      .array(method)
      .min(1, 'must name a method')
      .max(8, 'must be 8 methods at most')
      .default(['GET', 'HEAD', 'OPTIONS'])
      .describe('Methods of it that may be sent twice.'),
    path: z
      .string()
      .regex(
        /^\/[A-Za-z0-9/_.~-]{0,200}$/,
        "must begin with '/': letters, digits, '/', '_', '.', '~' and '-'",
      )
      .default('/')
      .describe('How its paths begin.'),
  })
  .describe('Requests that may be sent twice.');

const ratioMessage = 'must be a number from 0 to 1, with two decimals at most';

const budget = z
  .union(
    [
      z.literal(false),
      z.strictObject({
        ratio: z
          .number(ratioMessage)
          .min(0, ratioMessage)
          .max(1, ratioMessage)
          .refine((value) => Math.abs(value * 100 - Math.round(value * 100)) < 1e-9, ratioMessage)
          .default(0.2)
          .describe('Retries for each request to the service, on average over 10 seconds.'),
        min_per_second: integer(1, 10_000)
          .default(10)
          .describe('So many more a second, however few requests there are.'),
      }),
    ],
    'must be false, or hold `ratio` (a number from 0 to 1) and `min_per_second` (1 or more)',
  )
  .describe(
    'How many requests are tried again at most, all together: when it is spent, further ones keep their first answer. `false` sets no bound.',
  );

const retries = z.strictObject({
  attempts: integer(1, 10)
    .default(1)
    .describe('Further attempts of a request at most, each on another server where there is one.'),
  on: z
    .array(retryReason)
    .min(1, 'must name a reason')
    .default(['conn-failure', 'empty-response', '503'])
    .describe(
      "HAProxy's reasons (`retry-on`): statuses, and conn-failure, empty-response, response-timeout …",
    ),
  idempotent: z
    .array(route)
    .min(1, 'must name a route')
    .max(16, 'must be 16 routes at most')
    .prefault([{}])
    .describe(
      'What may be sent twice; default: GET, HEAD and OPTIONS anywhere. Others are tried again only where no connection came about.',
    ),
  budget: budget.prefault({}),
});

const breaker = z.strictObject({
  errors: integer(1, 1000)
    .default(10)
    .describe('So many errors in a row (5xx, broken or no answer) open the circuit of a server.'),
  action: z
    .enum(['mark-down', 'fail-check', 'sudden-death'])
    .default('mark-down')
    .describe(
      'mark-down: out at once; fail-check: as one failed check; sudden-death: one more error takes it out.',
    ),
});

/** What a service asks of requests to it: ordinary lines of HAProxy follow from it. */
export const policySchema = z
  .strictObject({
    timeouts: z
      .strictObject({
        connect: duration
          .optional()
          .describe('`timeout connect`: longest wait for a connection to a server.'),
        queue: duration
          .optional()
          .describe('`timeout queue`: longest wait for a free slot of a full server.'),
        server: duration.optional().describe('`timeout server`: longest silence of a server; then 504.'),
      })
      .optional()
      .describe('How long is waited.'),
    retries: retries.optional().meta({ description: 'Which requests are tried again, and how often.' }),
    circuit_breaker: breaker
      .optional()
      .meta({ description: 'Take out a server whose answers fail; its checks bring it back.' }),
  })
  .describe('Timeouts, retries and circuit breaking of requests, as lines of the backend.');

/** A policy after defaults. */
export type Policy = z.output<typeof policySchema>;
