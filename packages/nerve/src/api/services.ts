import { type AdminRoute, defineRoute } from '@smartstack/agent';
import * as z from 'zod';
import { type ApiDeps, noService } from './deps.js';
import { hostDrain, serviceParam, serviceShape } from './shapes.js';

/** What there is, and how it is. */
export function serviceRoutes(deps: ApiDeps): readonly AdminRoute[] {
  const { services, control } = deps;
  return [
    defineRoute({
      method: 'GET',
      path: '/v1/services',
      summary: 'All services of this host',
      response: z.object({
        drain: hostDrain.describe('The drain of the whole host, if there is one.'),
        services: z.array(serviceShape).readonly().describe('In the order of their names.'),
      }),
      handle: () => ({ value: { drain: control.hostDrain ?? null, services: services.status } }),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/services/:name',
      summary: 'One service: its checks with their last ten results, its history and its registration',
      params: serviceParam,
      response: serviceShape,
      statuses: { 404: 'There is no such service; the body names one like it.' },
      handle: ({ params: { name } }) => {
        const found = services.find(name);
        if (found === undefined) throw noService(deps, name);
        return { value: found.details };
      },
    }),
  ];
}
