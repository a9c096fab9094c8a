import { type AdminRoute, defineRoute, notFound, Refusal } from '@smartstack/agent';
import * as z from 'zod';
import { type ApiDeps, definitionOf } from './deps.js';
import { note, serviceParam } from './shapes.js';

const body = z.strictObject({
  status: z.enum(['pass', 'warn', 'fail']).describe('How it is; `warn` counts as passing.'),
  note,
});
const response = z.object({ checks: z.array(z.string()).readonly().describe('Those that it counted for.') });
const statuses = {
  404: 'There is no such service or check; the body names one like it.',
  409: 'The service has no check that waits for heartbeats.',
};

/** How applications tell that they are well. */
export function heartbeatRoutes(deps: ApiDeps): readonly AdminRoute[] {
  const beat = (service: string, check: string | undefined, heartbeat: z.output<typeof body>) => {
    definitionOf(deps, service);
    const taken = deps.heartbeats.beat(service, check, heartbeat);
    switch (taken.kind) {
      case 'taken':
        return { value: { checks: taken.checks } };
      case 'unknown service':
        throw new Refusal(409, `${service} has no check that waits for heartbeats (type: ttl)`);
      case 'unknown check':
        throw notFound(`ttl check of ${service}`, check ?? '', taken.checks);
    }
  };
  const common = { method: 'POST', body, response, statuses } as const;
  return [
    defineRoute({
      ...common,
      path: '/v1/services/:name/heartbeat',
      summary: 'Say how a service is: for all of its ttl checks',
      params: serviceParam,
      handle: ({ params, body: heartbeat }) => beat(params.name, undefined, heartbeat),
    }),
    defineRoute({
      ...common,
      path: '/v1/services/:name/checks/:check/heartbeat',
      summary: 'Say how a service is: for one of its ttl checks',
      params: { ...serviceParam, check: z.string().describe('The name of the check; `ttl` by default.') },
      handle: ({ params, body: heartbeat }) => beat(params.name, params.check, heartbeat),
    }),
  ];
}
