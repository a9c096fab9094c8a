import { isTier, ownerOf } from './tierNames.js';
import { latencyTable, longestBackend } from './latencyTable.js';
import { counterUse, isNameTaken } from './stickCounters.js';
import type { DesiredState, LatencySettings } from '../types.js';

/**
 * Why latencies of services cannot be counted, by the service or tier whose backend it is: another line uses the stick
 * counter, on the way of a request to it.
 */
export function clashesOf(
  state: DesiredState,
  { stickCounter, except }: LatencySettings,
): ReadonlyMap<string, string> {
  const wanted = state.services.filter(({ service }) => !except.includes(ownerOf(service)));
  if (isNameTaken(state, latencyTable)) {
    const reason = `there is already a section ${latencyTable}`;
    return new Map(wanted.map(({ service }) => [service, reason]));
  }
  const whyNot = counterUse(state, stickCounter);
  return new Map(
    wanted.flatMap((sections): [string, string][] => {
      const { service, backend } = sections;
      const isLong = backend.name.length > longestBackend;
      const reason =
        whyNot(sections) ?? (isLong ? `the name of its backend is longer than ${longestBackend}` : undefined);
      return reason === undefined ? [] : [[service, reason]];
    }),
  );
}

/** How each reason begins. */
export const notCounted = 'latencies are not counted: ';

/** For people: services that should be counted and cannot be, each with the way out. */
export function clashReasons(
  state: DesiredState,
  settings: LatencySettings | undefined,
): readonly { readonly service: string; readonly reason: string }[] {
  if (settings === undefined) return [];
  return [...clashesOf(state, settings)].flatMap(([service, why]) => {
    if (isTier(service)) return [];
    const wayOut = why.includes('stick counter')
      ? '; `traffic.stick_counter` in agent.yaml may name a free one, and `latencies: false` in its haproxy block does without'
      : '';
    return [{ service, reason: `its ${notCounted}${why}${wayOut}` }];
  });
}
