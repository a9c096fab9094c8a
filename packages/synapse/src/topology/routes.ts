import { type AdminRoute, defineRoute } from '@smartstack/agent';
import * as z from 'zod';
import { topologyShape } from './shapes.js';
import type { Topology } from './topology.js';

/** The route that tells who calls whom. */
export function topologyRoutes(topology: () => Pick<Topology, 'host' | 'fleet'>): readonly AdminRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/v1/topology',
      summary: 'Who called whom in the last quarter of an hour',
      description:
        'By the sockets of this host, which are looked at every ten seconds: short connections may be missed.',
      query: {
        fleet: z
          .tuple([z.enum(['true', 'false'])])
          .optional()
          .describe('true: of all hosts that tell, where this one is told; else of this host.'),
      },
      response: topologyShape,
      handle: async ({ query: { fleet } }) => ({
        value: fleet?.[0] === 'true' ? await topology().fleet() : topology().host(),
      }),
    }),
  ];
}
