import { type AdminRoute, defineRoute } from '@smartstack/agent';
import * as z from 'zod';
import type { ServiceStatus } from '../service.js';
import { type ApiDeps, definitionOf } from './deps.js';

const problem = z.object({
  service: z.string().optional().describe('Not there for the host as a whole.'),
  problem: z.enum(['down', 'starting', 'unknown', 'drained']),
  reason: z.string().optional(),
});

type Problem = z.output<typeof problem>;

const shape = z
  .object({
    ok: z.boolean(),
    services: z.int().describe('How many services were looked at.'),
    problems: z.array(problem).readonly().describe('Whatever is not up, or is drained.'),
  })
  .meta({ id: 'Health' });

/** The host as one URL, for load balancers. */
export function healthRoutes(deps: ApiDeps): readonly AdminRoute[] {
  const { services, control } = deps;
  return [
    defineRoute({
      method: 'GET',
      path: '/v1/health',
      summary: 'Whether every service of this host is up, and none is drained',
      description: 'For load balancers, which look at the status code only.',
      query: {
        service: z
          .array(z.string())
          .optional()
          .describe('Looks at this service only; may be given several times.'),
      },
      response: shape,
      unready: 'Something is not up, or is drained.',
      statuses: { 404: 'There is no such service.' },
      handle: ({ query }) => {
        for (const name of query.service ?? []) definitionOf(deps, name);
        const asked = query.service && new Set(query.service);
        const looked = services.status.filter(({ service }) => asked?.has(service) ?? true);
        const host = asked === undefined ? control.hostDrain : undefined;
        const problems: readonly Problem[] = [
          ...(host ? [{ problem: 'drained' as const, ...reasonOf(host) }] : []),
          ...looked.flatMap(problemOf),
        ];
        const ok = problems.length === 0;
        return { status: ok ? 200 : 503, value: { ok, services: looked.length, problems } };
      },
    }),
  ];
}

function problemOf({ service, health, reason, drain }: ServiceStatus): readonly Problem[] {
  if (drain) return [{ service, problem: 'drained', ...reasonOf(drain) }];
  return health === 'up' ? [] : [{ service, problem: health, ...reasonOf({ reason }) }];
}

function reasonOf({ reason }: { readonly reason?: string | undefined }): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}
