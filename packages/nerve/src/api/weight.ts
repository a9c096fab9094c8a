import { type AdminRoute, defineRoute } from '@smartstack/agent';
import * as z from 'zod';
import type { ApiDeps } from './deps.js';
import { answerOf } from './orders.js';
import { by, orderResult, serviceParam } from './shapes.js';

const statuses = { 404: 'There is no such service; the body names one like it.' };
const common = { path: '/v1/services/:name/weight', params: serviceParam, response: orderResult, statuses };

/** The share of the traffic, at run time. */
export function weightRoutes(deps: ApiDeps): readonly AdminRoute[] {
  const { control } = deps;
  return [
    defineRoute({
      ...common,
      method: 'PUT',
      summary: "Set a service's weight in place of the configured one; survives restarts",
      body: z.strictObject({
        weight: z.int().min(0).max(256).describe('0 takes no new traffic.'),
        by,
      }),
      handle: async ({ params, body: { weight, by: who } }) =>
        answerOf(
          deps,
          await control.setWeight({ service: params.name }, weight, who === undefined ? {} : { by: who }),
        ),
    }),
    defineRoute({
      ...common,
      method: 'DELETE',
      summary: 'Back to the configured weight',
      handle: async ({ params }) => answerOf(deps, await control.clearWeight(params.name)),
    }),
  ];
}
