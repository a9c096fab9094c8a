import type { ServiceDetail, TrafficPoint } from '../../traffic/shapes.js';
import type { Curves } from '../about.js';
import type { ChartData } from './chart.js';
import { latency, percent, rate } from './format.js';
import { shareTicks, ticksTo } from './scale.js';

/** A slot shorter than this share says too little of its rate. */
const leastShare = 0.3;

/** What the charts of a service show. `startedAt`: what was before it was not counted. */
export function chartsOf(
  detail: Pick<ServiceDetail, 'service' | 'from' | 'to' | 'lookedAt' | 'slotSeconds' | 'latencyBounds'>,
  startedAt: number,
): Readonly<Record<'success' | 'requests' | 'latency', ChartData>> {
  const { from, to, lookedAt, slotSeconds } = detail;
  const slotMs = slotSeconds * 1000;
  const points = detail.service.points ?? [];
  // What came since the last look is in no slot yet.
  const share = ({ at }: TrafficPoint): number =>
    Math.min(slotMs, Math.max(0, Math.min(to, lookedAt) - at), Math.max(0, at + slotMs - startedAt)) / slotMs;
  const counted = points.filter((point) => share(point) >= leastShare);
  const times = counted.map(({ at }) => Math.min(to, at + slotMs / 2));
  const perSecond = (of: (point: TrafficPoint) => number): readonly number[] =>
    counted.map((point) => of(point) / (slotSeconds * share(point)));
  const successes = counted.map(({ success, failure }) =>
    success + failure > 0 ? success / (success + failure) : null,
  );
  const requests = perSecond((point) => point.requests);
  const failures = perSecond((point) => point.failure);
  const percentiles = ([['p99'], ['p95'], ['p50']] as const).map(([kind]) => ({
    ...{ name: kind, kind },
    values: counted.map((point) => point[kind]),
  }));
  const top = Math.max(0, ...percentiles.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const last = detail.latencyBounds.at(-1);
  const shared = { times, from: Math.max(from, to - slotMs * points.length), to };
  return {
    success: {
      ...shared,
      series: [{ name: 'success', kind: 'success', values: successes }],
      ticks: shareTicks(successes),
      format: percent,
    },
    requests: {
      ...shared,
      series: [
        {
          name: detail.service.mode === 'tcp' ? 'connections' : 'requests',
          kind: 'requests',
          filled: true,
          values: requests,
        },
        {
          name: 'failures',
          kind: 'failure',
          filled: true,
          values: failures,
          isHidden: !failures.some((value) => value > 0),
        },
      ],
      ticks: ticksTo(Math.max(...requests, 0)),
      format: (value) => `${rate(value)}/s`,
    },
    latency: {
      ...shared,
      series: percentiles,
      ticks: ticksTo(top * 1000).map((ms) => ms / 1000),
      format: (value) => latency(value, last),
    },
  };
}

/** The small curve of a service; null where nothing was counted yet. */
export function curveOf(
  curves: Curves | undefined,
  service: string,
  startedAt: number,
): Readonly<Record<'requests' | 'failures', readonly (number | null)[]>> {
  const { begins = [], services = {}, slotSeconds = 0 } = curves ?? {};
  const curve = Object.hasOwn(services, service) ? services[service] : undefined;
  const known = (values: readonly number[] = []): readonly (number | null)[] =>
    // The last slot is not over.
    values
      .slice(0, -1)
      .map((value, at) => ((begins[at] ?? 0) + slotSeconds * 1000 <= startedAt ? null : value));
  return { requests: known(curve?.requests), failures: known(curve?.failures) };
}
