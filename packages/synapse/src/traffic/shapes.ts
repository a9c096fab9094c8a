import * as z from 'zod';

const count = (what: string) => z.number().describe(what);
const seconds = (what: string) => z.number().nullable().describe(`${what} In seconds; null without any.`);

/** What happened in a span of time. */
const summary = z
  .object({
    seconds: z.number().describe('How much of the span that was asked for was observed.'),
    requests: count('HTTP requests that began, or TCP connections.'),
    rps: count('Of these, in a second.'),
    success: count('HTTP responses other than 5xx.'),
    failure: count("Responses 5xx, HAProxy's own included: 503 for no server, 502 or 504 for no answer."),
    aborted: count('Requests that ended without any response, for the client left.'),
    successRate: z
      .number()
      .nullable()
      .describe('success / (success + failure), from 0 to 1; null without any, and for TCP.'),
    p50: seconds('Half of the responses had their headers in this time, from when HAProxy had the request.'),
    p95: seconds('The same of 95 %.'),
    p99: seconds('The same of 99 %.'),
    latencies: z
      .array(z.number())
      .readonly()
      .nullable()
      .describe('Responses of servers by latency (the bounds are given once); null where none are counted.'),
    unmeasured: z
      .number()
      .nullable()
      .describe(
        "Responses that are in none of them: HAProxy's own, such as 503 for no server, and those of servers for which its table had no room; null where none are counted.",
      ),
    bytesIn: count('Bytes from clients.'),
    bytesOut: count('Bytes to clients.'),
    retries: count('Further attempts to connect.'),
    redispatches: count('Requests that went to another server than the one chosen first.'),
    connectErrors: count('Connections to servers that failed.'),
    responseErrors: count('Responses that were invalid or broken off by a server.'),
    clientAborts: count('Transfers that a client broke off.'),
    meanDuration: seconds('How long requests or connections lasted on average, by the last 1,024 of them.'),
  })
  .meta({ id: 'TrafficSummary' });

const point = z
  .object({
    at: z.number().describe('Where the slot begins: wall clock milliseconds.'),
    requests: z.number(),
    success: z.number(),
    failure: z.number(),
    aborted: z.number(),
    p50: z.number().nullable(),
    p95: z.number().nullable(),
    p99: z.number().nullable(),
    bytesIn: z.number(),
    bytesOut: z.number(),
    retries: z.number(),
    open: z.number().describe('Requests or connections under way at the end of the slot.'),
  })
  .meta({ id: 'TrafficPoint' });

const subject = {
  mode: z.enum(['http', 'tcp']).nullable().describe('null before HAProxy was asked.'),
  open: z.number().describe('Requests or connections under way now, old workers included.'),
  summary,
};

/** The traffic of a service. */
const serviceTrafficShape = z
  .object({
    service: z.string(),
    ...subject,
    noLatencies: z.string().optional().describe('Why no latencies are counted; absent where they are.'),
    points: z
      .array(point)
      .readonly()
      .optional()
      .describe('One for each slot, oldest first, where asked for.'),
  })
  .meta({ id: 'ServiceTraffic' });

/** The traffic of a server of a service, those of its tiers together. */
const serverTrafficShape = z
  .object({
    server: z.string(),
    ...subject,
    points: z.array(point).readonly().optional(),
  })
  .meta({ id: 'ServerTraffic' });

const span = {
  now: z.number().describe('Wall clock milliseconds.'),
  from: z.number().describe('Begin of the span, in wall clock milliseconds.'),
  to: z.number().describe('Its end.'),
  lookedAt: z
    .number()
    .describe('When HAProxy was asked last, in wall clock milliseconds: what came since is counted later.'),
  slotSeconds: z.number().describe('How long a slot of the window is.'),
  latencyBounds: z
    .array(z.number())
    .readonly()
    .describe('Upper bounds of the buckets in seconds; a last bucket takes what is above.'),
};

/** The traffic of all services in a span of time. */
export const trafficShape = z
  .object({ ...span, services: z.array(serviceTrafficShape).readonly() })
  .meta({ id: 'Traffic' });

/** The traffic of one service and of its servers in a span of time. */
export const serviceDetailShape = z
  .object({
    ...span,
    service: serviceTrafficShape,
    servers: z.array(serverTrafficShape).readonly(),
    noServers: z.string().optional().describe('Why there is nothing of single servers.'),
  })
  .meta({ id: 'ServiceTrafficDetail' });

export type TrafficSummary = z.output<typeof summary>;
export type TrafficPoint = z.output<typeof point>;
export type ServiceTraffic = z.output<typeof serviceTrafficShape>;
export type ServerTraffic = z.output<typeof serverTrafficShape>;
export type TrafficAnswer = z.output<typeof trafficShape>;
export type ServiceDetail = z.output<typeof serviceDetailShape>;
