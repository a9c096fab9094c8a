import * as z from 'zod';

/** How it is known who calls. */
export const identity = z.enum(['declared', 'listener', 'unit', 'user', 'only-service', 'host', 'unknown']);

const identityText = [
  'declared: the configuration of the service says so, for its port or for an address of that caller;',
  'listener: the user of the client serves this service of nerve;',
  'unit, user: the systemd service, or the user, of the client;',
  'only-service, host: no client was seen, but nerve has one service here, or nothing more is known;',
  'unknown: the client is in a container, or elsewhere. None of these is a proof.',
].join(' ');

const edge = z
  .object({
    source: z.string().describe('Who calls.'),
    destination: z.string().describe('The service that is called.'),
    identity: identity.describe(`How it is known who calls. ${identityText}`),
    hosts: z.int().describe('On how many hosts.'),
    onHosts: z.array(z.string()).readonly().describe('The first ten of them.'),
    firstSeen: z.number().optional().describe('On this host; wall clock milliseconds.'),
    lastSeen: z.number().optional(),
    numbersOf: z.int().describe('So many of these hosts have told the following.'),
    rps: z
      .number()
      .nullable()
      .describe(
        'Requests or connections in a second, over the last minute; null where several callers share a service on a host, which HAProxy does not count apart.',
      ),
    successRate: z.number().nullable().describe('From 0 to 1.'),
    p95: z.number().nullable().describe('Seconds, of all their responses for which a latency was counted.'),
  })
  .meta({ id: 'TopologyEdge' });

const host = z
  .object({
    instanceId: z.string(),
    isThis: z.boolean().describe('The one that answers.'),
    zone: z.string().optional(),
    agent: z.string().optional().describe('Version of synapse.'),
    services: z.array(z.string()).readonly().describe('What nerve registers from there.'),
    numbersAt: z.number().optional().describe('When it told its numbers; wall clock milliseconds.'),
    problem: z.string().optional().describe('Why its numbers are missing, or are not of later.'),
  })
  .meta({ id: 'TopologyHost' });

const notRead = z
  .object({
    version: z.int().describe('Written by a newer agent.'),
    malformed: z.int(),
    tooLarge: z.int(),
    tooMany: z.int().describe('Beyond as many hosts as are read.'),
    unreadable: z.int().describe('That this agent may not read.'),
  })
  .meta({ id: 'TopologySkipped' });

const fleetService = z
  .object({
    service: z.string(),
    hosts: z.int().describe('On so many hosts somebody calls it.'),
    numbersOf: z.int().describe('So many of these have told the following, over the last minute.'),
    rps: z.number().nullable(),
    successRate: z.number().nullable().describe('From 0 to 1.'),
    p50: z.number().nullable().describe('Seconds, of the responses of all these hosts.'),
    p95: z.number().nullable(),
    p99: z.number().nullable(),
  })
  .meta({ id: 'FleetService' });

const fleetState = z
  .object({
    readAt: z.number().optional().describe('When ZooKeeper was read last; wall clock milliseconds.'),
    isStale: z.boolean().describe('It is not read now, or was not for long.'),
    problem: z.string().optional().describe('Why.'),
    hasNumbers: z.boolean().describe('Whether other hosts are asked for their numbers.'),
    numbersProblems: z
      .array(z.string())
      .readonly()
      .optional()
      .describe('Why this host can neither ask nor tell, or should not as things are.'),
  })
  .meta({ id: 'FleetState' });

/** Who calls whom. */
export const topologyShape = z
  .object({
    scope: z.enum(['host', 'fleet']),
    now: z.number().describe('Wall clock milliseconds.'),
    hosts: z.array(host).readonly(),
    edges: z.array(edge).readonly().describe('In the order of their destinations and sources.'),
    skipped: notRead.optional().describe('Hosts that are not in it; of a fleet only.'),
    services: z
      .array(fleetService)
      .readonly()
      .optional()
      .describe('What is called, with all who call it; of a fleet only.'),
    fleet: fleetState.optional().describe('How fresh it is; of a fleet only.'),
    notes: z.array(z.string()).readonly().describe('What is missing, for people.'),
    hasFleet: z.boolean().describe('Whether this agent is told of other hosts.'),
  })
  .meta({ id: 'Topology' });

export type TopologyAnswer = z.output<typeof topologyShape>;
export type TopologyEdge = z.output<typeof edge>;
export type TopologyHost = z.output<typeof host>;
export type FleetService = z.output<typeof fleetService>;
export type Skipped = z.output<typeof notRead>;
