import { reader } from '@smartstack/agent/cli';
import * as z from 'zod';

import { planShape, serverShape, serviceShape } from '../explain/shapes.js';
import { tapServicesShape } from '../tap/shapes.js';
import { topologyShape } from '../topology/shapes.js';
import { trafficShape } from '../traffic/shapes.js';

/** What of `/status` the points look at: it is for people, and each part may be absent. */
const statusShape = z.object({
  version: z.string(),
  generators: z.array(
    z.object({
      generator: z.string(),
      outcome: z.string().optional(),
      error: z.string().optional(),
      details: z
        .object({
          file: z
            .object({
              problem: z
                .string()
                .nullish()
                .transform((value) => value ?? undefined),
            })
            .optional(),
          quarantined: z.array(z.unknown()).optional(),
          counting: z
            .object({
              readMsAgo: z.number(),
              failures: z.number(),
              losses: z.number(),
              lostSeconds: z.number(),
            })
            .optional(),
          tap: z
            .object({
              readers: z.number(),
              dropped: z.object({ haproxy: z.number(), reader: z.number() }),
            })
            .optional(),
        })
        .optional(),
    }),
  ),
});

export const readServices = reader('synapse', z.object({ services: z.array(serviceShape) }));
export const readServers = reader('synapse', z.object({ servers: z.array(serverShape) }));
export const readPlan = reader('synapse', planShape);
export const readTraffic = reader('synapse', trafficShape);
export const readTopology = reader('synapse', topologyShape);
export const readTapServices = reader('synapse', tapServicesShape);
export const readStatus = reader('synapse', statusShape);
