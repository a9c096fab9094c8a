import type { TrafficView } from '../traffic/types.js';
import type { Curves } from './about.js';

/** So much of the past a small curve shows, in milliseconds. */
const spanMs = 600_000;

/** The requests of all services in the last ten minutes, and nothing else: a thousand of them are little to send. */
export function curvesOf(view: TrafficView): Curves {
  const { slotSeconds, services } = view.services({ fromMs: spanMs, toMs: 0, withPoints: true });
  const begins = services[0]?.points?.map(({ at }) => at) ?? [];
  const curve = ({ points = [] }: (typeof services)[number]) => ({
    requests: points.map(({ requests }) => requests),
    failures: points.map(({ failure }) => failure),
  });
  return {
    slotSeconds,
    begins,
    services: Object.fromEntries(services.map((each) => [each.service, curve(each)])),
  };
}
