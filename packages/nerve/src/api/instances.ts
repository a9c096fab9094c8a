import { type AdminRoute, defineRoute } from '@smartstack/agent';
import { instanceListSchema } from '@smartstack/registry/instanceListSchema';
import { type ApiDeps, definitionOf } from './deps.js';
import { serviceParam } from './shapes.js';

/** Who else offers a service. */
export function instanceRoutes(deps: ApiDeps): readonly AdminRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/v1/instances/:name',
      summary: 'All instances of a service of this host, as its registry has them',
      description:
        'For programs that want a list; at most a second old. Where a service has several reporters, the first that can be read (zookeeper or file) is.',
      params: serviceParam,
      response: instanceListSchema,
      statuses: {
        404: 'There is no such service on this host; the body names one like it.',
        501: 'Its registry cannot be read by nerve.',
        503: 'Its registry cannot be reached, and was never read.',
      },
      handle: async ({ params }) => ({ value: await deps.instances(definitionOf(deps, params.name)) }),
    }),
  ];
}
