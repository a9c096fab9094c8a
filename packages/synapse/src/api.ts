import { type AdminRoute, defineRoute, notFound } from '@smartstack/agent';
import { type InstanceList, instanceListSchema } from '@smartstack/registry';
import * as z from 'zod';

/** What synapse's API stands on. */
export interface ApiDeps {
  /** All services, each with its instances. */
  readonly instances: () => readonly InstanceList[];
}

/** The routes of synapse's API, beside those that every agent has. */
export function apiRoutes({ instances }: ApiDeps): readonly AdminRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/v1/instances',
      summary: 'All services, each with its instances',
      response: z.object({ services: z.array(instanceListSchema).readonly() }),
      handle: () => ({ value: { services: instances() } }),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/instances/:name',
      summary: 'The instances of a service, as HAProxy is told of them',
      description: 'For programs that want a list rather than a proxy.',
      params: { name: z.string().describe('The name of the service.') },
      response: instanceListSchema,
      unready: 'Nothing is known of it yet: its registry was not read since the start.',
      statuses: { 404: 'There is no such service; the body names one like it.' },
      handle: ({ params: { name } }) => {
        const all = instances();
        const found = all.find(({ service }) => service === name);
        if (found) return { value: found, status: found.source === 'pending' ? 503 : 200 };
        const known = all.map(({ service }) => service);
        throw notFound('service', name, known);
      },
    }),
  ];
}
