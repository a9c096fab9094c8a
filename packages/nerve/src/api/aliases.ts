import { type AdminRoute, defineRoute } from '@smartstack/agent';
import * as z from 'zod';
import type { ApiDeps } from './deps.js';
import { answerOf } from './orders.js';
import { orderResult, serviceParam } from './shapes.js';

const common = {
  method: 'PUT',
  response: orderResult,
  description: 'As go-nerve has it; prefer what is under /v1.',
  statuses: { 404: 'There is no such service; the body names one like it.' },
} as const;

const weightParam = z
  .string()
  .regex(/^\d{1,3}$/, 'expected a whole number from 0 to 256')
  .describe('0 to 256.');

/** What go-nerve's API has, under its names, for scripts that use it. */
export function aliasRoutes(deps: ApiDeps): readonly AdminRoute[] {
  const { control } = deps;
  return [
    defineRoute({
      ...common,
      path: '/services/:name/disable',
      summary: 'Withdraw a service',
      params: serviceParam,
      handle: async ({ params }) => answerOf(deps, await control.drain({ service: params.name }, {})),
    }),
    defineRoute({
      ...common,
      path: '/services/:name/enable',
      summary: 'Register a service again',
      params: serviceParam,
      handle: async ({ params }) => answerOf(deps, await control.undrain({ service: params.name })),
    }),
    defineRoute({
      ...common,
      path: '/services/:name/weight/:weight',
      summary: "Set a service's weight",
      params: {
        ...serviceParam,
        weight: weightParam,
      },
      handle: async ({ params: { name, weight } }) =>
        answerOf(deps, await control.setWeight({ service: name }, Number(weight))),
    }),
    defineRoute({
      ...common,
      path: '/disable',
      summary: 'Withdraw all services',
      query: {
        shutdown: z
          .array(z.string())
          .optional()
          .describe(
            'Whatever it is: run the shutdown_command of those that have one once callers have let go.',
          ),
      },
      handle: async ({ query }) =>
        answerOf(deps, await control.drain('all', { shutdown: query.shutdown !== undefined })),
    }),
    defineRoute({
      ...common,
      path: '/enable',
      summary: 'Register all services again',
      handle: async () => answerOf(deps, await control.undrain('all')),
    }),
    defineRoute({
      ...common,
      path: '/weight/:weight',
      summary: 'Set the weight of all services',
      params: { weight: weightParam },
      statuses: {},
      handle: async ({ params: { weight } }) =>
        answerOf(deps, await control.setWeight('all', Number(weight))),
    }),
  ];
}
