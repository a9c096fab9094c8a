import { type AdminRoute, defineRoute, notFound } from '@smartstack/agent';
import * as z from 'zod';

import { serviceDetailShape, trafficShape } from './shapes.js';
import type { Span, TrafficView } from './types.js';

/** The longest span, in seconds: there is an hour. */
const maxSeconds = 3_600;

const ago = (meaning: string) =>
  z
    .tuple([z.string().regex(/^\d{1,4}(\.\d{1,3})?$/, 'must be seconds, at most 3600')])
    .optional()
    .describe(meaning);

const query = {
  from: ago('The span begins so many seconds ago; 60 unless given, 3600 at most.'),
  to: ago('It ends so many seconds ago; 0 unless given.'),
  points: z
    .tuple([z.enum(['true', 'false'])])
    .optional()
    .describe('true: with one point for each slot of 10 s, for charts.'),
};

interface Asked {
  readonly from?: readonly [string] | undefined;
  readonly to?: readonly [string] | undefined;
  readonly points?: readonly ['true' | 'false'] | undefined;
}

function spanOf({ from, to, points }: Asked): Span {
  const ms = (given: readonly [string] | undefined, usual: number): number =>
    Math.min(maxSeconds, Number(given?.[0] ?? usual)) * 1000;
  return { fromMs: ms(from, 60), toMs: ms(to, 0), withPoints: points?.[0] === 'true' };
}

/** The routes that tell of traffic; `view` is undefined where no generator counts any. */
export function trafficRoutes(
  view: () => TrafficView | undefined,
  services: () => readonly string[],
): readonly AdminRoute[] {
  const counted = (): TrafficView => {
    const found = view();
    if (found === undefined) throw notFound('generator', 'haproxy', []);
    return found;
  };
  return [
    defineRoute({
      method: 'GET',
      path: '/v1/traffic',
      summary: 'What the traffic of each service came to in a span of the last hour',
      description: 'Requests, failures, latencies and bytes, by the slots of 10 s that overlap the span.',
      query,
      response: trafficShape,
      statuses: { 404: 'No HAProxy is kept here.' },
      handle: ({ query: asked }) => ({ value: counted().services(spanOf(asked)) }),
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/traffic/:name',
      summary: 'The same of one service, and of each of its servers',
      params: { name: z.string().describe('The name of the service.') },
      query,
      response: serviceDetailShape,
      statuses: { 404: 'There is no such service in HAProxy; the body names one like it.' },
      handle: ({ params: { name }, query: asked }) => {
        const value = counted().service(name, spanOf(asked));
        if (value === undefined) throw notFound('service', name, services());
        return { value };
      },
    }),
  ];
}
