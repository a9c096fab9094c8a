import { type AdminRoute, defineRoute, type HealthReport, notFound } from '@smartstack/agent';
import type { InstanceList } from '@smartstack/registry';
import { instanceListSchema } from '@smartstack/registry/instanceListSchema';
import * as z from 'zod';

import type { Explainer } from './explain/explainer.js';
import { explanationShape, planShape, serverShape, serviceShape } from './explain/shapes.js';
import { readyRoute } from './goSynapse/ready.js';
import { topologyRoutes } from './topology/routes.js';
import type { Topology } from './topology/topology.js';
import { trafficRoutes } from './traffic/routes.js';
import type { TrafficView } from './traffic/types.js';
import { type TapDeps, tapRoutes } from './tap/routes.js';
import type { Discovery } from './watchers/index.js';

/** What synapse's API stands on. */
export interface ApiDeps {
  /** All services, each with its instances. */
  readonly instances: () => readonly InstanceList[];
  /** Whether the generators are in step with what is known. */
  readonly ready: () => HealthReport;
  /** What generators count; undefined where none does. */
  readonly traffic: () => TrafficView | undefined;
  readonly topology: () => Pick<Topology, 'host' | 'fleet'>;
  readonly tap: TapDeps;
  readonly explainer: () => Pick<Explainer<Discovery>, 'explain' | 'services' | 'servers' | 'plan'>;
}

const serviceName = { name: z.string().describe('The name of the service.') };
const noService = { 404: 'There is no such service; the body names one like it.' };

/** The routes of synapse's API, beside those that every agent has. */
export function apiRoutes({
  instances,
  ready,
  traffic,
  tap,
  topology,
  explainer,
}: ApiDeps): readonly AdminRoute[] {
  const missing = (name: string): Error =>
    notFound(
      'service',
      name,
      instances().map(({ service }) => service),
    );
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
      params: serviceName,
      response: instanceListSchema,
      unready: 'Nothing is known of it yet: its registry was not read since the start.',
      statuses: noService,
      handle: ({ params: { name } }) => {
        const found = instances().find(({ service }) => service === name);
        if (found) return { value: found, status: found.source === 'pending' ? 503 : 200 };
        throw missing(name);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/services',
      summary: 'All services, each in a line: where its instances come from, how many serve, what is wrong',
      response: z.object({ services: z.array(serviceShape).readonly() }),
      handle: async () => ({ value: { services: await explainer().services() } }),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/services/:name/why',
      summary: 'A service and its servers, step by step from the source to what runs',
      params: serviceName,
      response: explanationShape,
      statuses: noService,
      handle: async ({ params: { name } }) => {
        const value = await explainer().explain(name);
        if (value) return { value };
        throw missing(name);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/servers',
      summary: 'The servers of all services: their state, and why one takes no traffic',
      response: z.object({ servers: z.array(serverShape).readonly() }),
      handle: async () => ({ value: { servers: await explainer().servers() } }),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/plan',
      summary: 'What the next reconcile would do; nothing is done',
      response: planShape,
      handle: async () => ({ value: await explainer().plan() }),
    }),
    ...topologyRoutes(() => topology()),
    ...trafficRoutes(
      () => traffic(),
      () => instances().map(({ service }) => service),
    ),
    ...tapRoutes(tap),
    readyRoute(() => ready()),
  ];
}
