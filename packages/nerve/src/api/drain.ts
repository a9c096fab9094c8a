import { type AdminRoute, defineRoute } from '@smartstack/agent';
import * as z from 'zod';
import type { DrainRequest, Target } from '../control.js';
import type { ApiDeps } from './deps.js';
import { duration } from './duration.js';
import { answerOf } from './orders.js';
import { by, orderResult, reason, serviceParam } from './shapes.js';

const drainBody = z
  .strictObject({
    reason,
    by,
    duration: duration.optional(),
    until: z.iso
      .datetime({ offset: true, error: 'expected a time such as 2030-01-31T12:00:00Z' })
      .optional()
      .describe('When it ends by itself; not together with `duration`.'),
    shutdown: z
      .boolean()
      .optional()
      .describe("Run the service's drain.shutdown_command once callers have let go."),
  })
  .refine(({ duration: span, until }) => span === undefined || until === undefined, {
    path: ['until'],
    message: 'not together with duration',
  })
  .optional();

const undrainBody = z.strictObject({ by }).optional();

const notFound = { 404: 'There is no such service; the body names one like it.' };

/** Withdrawing a service, or all of the host, until told otherwise. */
export function drainRoutes(deps: ApiDeps): readonly AdminRoute[] {
  const { control } = deps;
  const drain = async (target: Target, body: z.output<typeof drainBody>) => {
    return answerOf(deps, await control.drain(target, requestOf(body, deps.clock.now())));
  };
  const common = { method: 'POST', response: orderResult } as const;
  return [
    defineRoute({
      ...common,
      path: '/v1/services/:name/drain',
      summary: 'Withdraw a service until it is undrained or the time is over; survives restarts',
      description: 'Its checks go on. A second drain replaces the reason and the end of the first.',
      params: serviceParam,
      body: drainBody,
      statuses: { ...notFound, 409: 'It cannot be done: no shutdown command.' },
      handle: ({ params, body }) => drain({ service: params.name }, body),
    }),
    defineRoute({
      ...common,
      path: '/v1/services/:name/undrain',
      summary: "End a service's own drain",
      description: 'A drain of the host goes on: then `stillDrained` names the service.',
      params: serviceParam,
      body: undrainBody,
      statuses: notFound,
      handle: async ({ params, body }) =>
        answerOf(deps, await control.undrain({ service: params.name }, whose(body))),
    }),
    defineRoute({
      ...common,
      path: '/v1/drain',
      summary: 'Withdraw all services of the host, also those to come',
      description: 'Except those with `exclude_from_drain_all`.',
      body: drainBody,
      handle: ({ body }) => drain('all', body),
    }),
    defineRoute({
      ...common,
      path: '/v1/undrain',
      summary: "End the host's drain",
      description: 'Services that were drained on their own stay so: `stillDrained` names them.',
      body: undrainBody,
      handle: async ({ body }) => answerOf(deps, await control.undrain('all', whose(body))),
    }),
  ];
}

function whose(body: z.output<typeof undrainBody>): { readonly by?: string } {
  return body?.by === undefined ? {} : { by: body.by };
}

function requestOf(body: z.output<typeof drainBody>, now: number): DrainRequest {
  const { reason: why, by: who, duration: spanMs, until, shutdown } = body ?? {};
  const end = spanMs === undefined ? until && Date.parse(until) : now + spanMs;
  return {
    ...(why !== undefined && { reason: why }),
    ...(who !== undefined && { by: who }),
    ...(typeof end === 'number' && { until: end }),
    ...(shutdown !== undefined && { shutdown }),
  };
}
