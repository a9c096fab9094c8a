import * as z from 'zod';

const seconds = (meaning: string) =>
  z.number().nullable().describe(`${meaning}, in seconds; null: there was none.`);

const isMeant = z
  .boolean()
  .optional()
  .describe('Its operator has it so: it is in mode tcp, has no frontend of its own, or is switched off.');

const droppedShape = z.object({
  rate: z.number().describe('Those that came faster than max_rps.'),
  reader: z.number().describe('Those that came while the reader did not read.'),
  haproxy: z.number().describe('Those that HAProxy had no room for, of any of these services.'),
});

const countsShape = {
  seen: z.number().describe('Requests that fit the filters, also those that were dropped.'),
  sent: z.number(),
  dropped: droppedShape,
  samplePercent: z.number().describe('How many of the requests HAProxy tells of; the others are never seen.'),
};

/** A request that has ended. */
const tapRequestShape = z
  .object({
    type: z.literal('request'),
    at: z.number().describe('When it ended: milliseconds since the epoch.'),
    service: z.string(),
    server: z.string().nullable().describe("HAProxy's name of it; null: it came to none."),
    source: z.string().describe('Address of the client.'),
    sourcePort: z.number(),
    method: z.string().nullable().describe('Null where HAProxy could not read the request.'),
    path: z.string().nullable().describe('Without the query; at most its first 512 bytes.'),
    status: z.number().describe('-1: the client got none.'),
    bytes: z.number().describe('Sent to the client.'),
    latency: seconds('From the request to the headers of its answer'),
    duration: seconds('From the request to its end'),
    retries: z.number(),
    redispatched: z.boolean().describe('Whether a retry went to another server.'),
    termination: z.string().describe("HAProxy's two letters on how it ended; --: as it should."),
    outcome: z.enum(['success', 'failure', 'aborted']),
  })
  .meta({ id: 'TapRequest' });

/** A line of the stream. */
export const tapEventShape = z
  .discriminatedUnion('type', [
    z.object({
      type: z.literal('start'),
      services: z.array(z.string()).readonly(),
      notTapped: z.array(z.object({ service: z.string(), reason: z.string(), isMeant })).readonly(),
    }),
    tapRequestShape,
    z
      .object({
        type: z.literal('status'),
        attached: z.boolean().describe('Whether an HAProxy tells of requests.'),
        reason: z.string().optional().describe('Why none does.'),
        ...countsShape,
      })
      .describe('Once a second where something changed, and every ten seconds.'),
    z.object({
      type: z.literal('end'),
      reason: z.enum(['limit', 'duration', 'stopped']),
      ...countsShape,
    }),
  ])
  .meta({ id: 'TapEvent' });

/** Which services can be tapped. */
export const tapServicesShape = z.object({
  services: z
    .array(
      z.object({
        service: z.string(),
        reason: z.string().optional().describe('Why it cannot be tapped.'),
        isMeant,
      }),
    )
    .readonly(),
});

/** A request that has ended. */
export type TapRequest = z.output<typeof tapRequestShape>;
/** A line of the stream. */
export type TapEvent = z.output<typeof tapEventShape>;
/** How many there were. */
export type TapCounts = Omit<Extract<TapEvent, { type: 'end' }>, 'type' | 'reason'>;
/** Which services can be tapped. */
export type TapServices = z.output<typeof tapServicesShape>;
