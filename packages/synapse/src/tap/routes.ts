import { type AdminRoute, type Clock, defineRoute, notFound, Refusal } from '@smartstack/agent';
import * as z from 'zod';

import { networkProblem } from '../networks.js';
import { tapEventShape, tapServicesShape } from './shapes.js';
import { choose, type TapQuery, TapStream } from './stream.js';
import type { TapSource } from './types.js';

/** Readers at a time: each costs a little of everybody's time. */
const maxReaders = 16;
const hourSeconds = 3_600;
const usualRps = 100;

const one = (pattern: RegExp, problem: string) => z.tuple([z.string().regex(pattern, problem)]).optional();
const number = (problem: string) => one(/^\d{1,7}(\.\d{1,6})?$/, problem);
const many = (pattern: RegExp, problem: string) =>
  z.array(z.string().regex(pattern, problem)).max(100, 'too many').readonly().optional();
const text = z.tuple([z.string().min(1, 'must not be empty').max(512, 'too long')]).optional();

const query = {
  service: many(/^.{1,255}$/, 'must be a name').describe(
    'A service; may be given more than once. None: all.',
  ),
  method: many(/^[A-Za-z]{1,32}$/, 'must be a method').describe('Methods that are wanted.'),
  path: text.describe('How the path begins; with a `*`, which stands for anything, the whole path.'),
  status: many(/^([1-5]\d\d|[1-5]xx|-1)$/i, 'must be a status such as 404, or a class such as 5xx').describe(
    'Statuses or classes of them: 404, 5xx.',
  ),
  min_latency: number('must be seconds').describe('Seconds to the headers of the answer at least.'),
  source: text.describe('The client: its address, or a network such as 10.0.0.0/8.'),
  server: text.describe("How the server's name in HAProxy begins; with a `*` the whole of it."),
  max_rps: number('must be a number').describe(
    `Requests a second at most: ${usualRps} unless given, 1 to 5000.`,
  ),
  sample: number('must be a percentage').describe('How many of the requests, in percent: 0.1 to 100.'),
  limit: one(/^[1-9]\d{0,8}$/, 'must be a number above 0').describe('Ends after so many requests.'),
  for: number('must be seconds').describe('Ends after so many seconds: 3600 unless given, and at most.'),
};

type Asked = z.output<z.ZodObject<typeof query>>;

function within(given: readonly [string] | undefined, usual: number, least: number, most: number): number {
  return given === undefined ? usual : Math.min(most, Math.max(least, Number(given[0])));
}

function queryOf(asked: Asked, source: TapSource): TapQuery {
  const { service: wanted = [], source: client } = asked;
  const known = source.services();
  const names = known.map(({ service }) => service);
  for (const name of wanted) if (!names.includes(name)) throw notFound('service', name, names);
  const problem = client && networkProblem(client[0]);
  if (problem !== undefined) throw new Refusal(400, `query.source: ${problem}`);
  const chosen = choose(known, wanted);
  const [first] = chosen.notTapped;
  if (chosen.services.length === 0) {
    const why =
      first === undefined ? 'there is no service' : `${first.service} cannot be tapped: ${first.reason}`;
    throw new Refusal(409, why);
  }
  return {
    ...chosen,
    filter: {
      methods: asked.method,
      path: asked.path?.[0],
      statuses: asked.status,
      minLatency: asked.min_latency && Number(asked.min_latency[0]),
      source: client?.[0],
      server: asked.server?.[0],
    },
    maxRps: within(asked.max_rps, usualRps, 1, 5_000),
    permille: Math.round(within(asked.sample, 100, 0.1, 100) * 10),
    limit: asked.limit && Number(asked.limit[0]),
    durationMs: within(asked.for, hourSeconds, 0.001, hourSeconds) * 1000,
  };
}

/** What the routes stand on. */
export interface TapDeps {
  /** Undefined where no generator can be tapped. */
  readonly tap: () => TapSource | undefined;
  readonly clock: Clock;
  /** Whether looking takes the token, also from this host. */
  readonly needsToken: boolean;
}

/** The routes of the live view. */
export function tapRoutes({ tap, clock, needsToken: isPrivate }: TapDeps): readonly AdminRoute[] {
  let readers = 0;
  const sourceOf = (): TapSource => {
    const found = tap();
    if (found === undefined) throw notFound('generator', 'haproxy', []);
    return found;
  };
  return [
    defineRoute({
      method: 'GET',
      path: '/v1/tap',
      summary: 'Requests while they pass: a line for each when it has ended',
      description:
        'For as long as it is read, HAProxy writes a line about each request of these services; what comes faster than it is read is dropped and counted.',
      ...{ isPrivate, hasEffect: true, query, response: tapEventShape },
      contentType: 'application/x-ndjson',
      statuses: {
        404: 'There is no such service in HAProxy; the body names one like it.',
        409: 'It cannot be tapped; the body says why.',
        429: `There are ${maxReaders} readers already.`,
      },
      handle: ({ query: asked }) => {
        const source = sourceOf();
        const wanted = queryOf(asked, source);
        if (readers >= maxReaders) throw new Refusal(429, `there are ${maxReaders} readers of taps already`);
        // Now, not when it begins: those who come at once would all find room.
        readers += 1;
        return {
          stream: async (sink) => {
            try {
              await new TapStream(wanted, sink, { clock, source, random: Math.random }).run();
            } finally {
              readers -= 1;
            }
          },
        };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/v1/tap/services',
      summary: 'Which services can be tapped, and why others cannot',
      response: tapServicesShape,
      statuses: { 404: 'No HAProxy is kept here.' },
      handle: () => ({ value: { services: sourceOf().services() } }),
    }),
  ];
}
