import type { TopologyAnswer } from '../../topology/shapes.js';
import { hasNumbers } from './fleetGraph.js';
import { counted, roughly } from './format.js';

/** What the drawing of a fleet shows, of how many hosts, and of when where that is not now. */
export function fleetLegend(answer: TopologyAnswer): string {
  const { hosts, fleet, now } = answer;
  const asOf =
    fleet?.isStale !== true
      ? ''
      : fleet.readAt === undefined
        ? ', not read yet'
        : `, as of ${roughly(now - fleet.readAt)} ago`;
  const all = `${counted(hosts.length, 'host')} in the last 15 minutes${asOf}`;
  if (!hasNumbers(answer)) return `${all}: width by hosts, colour by success`;
  const told = hosts.filter(({ isThis, numbersAt }) => isThis || numbersAt !== undefined).length;
  const whose = told === hosts.length ? '' : ` of ${told} of them`;
  return `${all}: width by requests${whose} over the last minute, colour by success`;
}
