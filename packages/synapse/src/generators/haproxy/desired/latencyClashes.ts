import { isTier, ownerOf } from './tierNames.js';
import { latencyTable, longestBackend } from './latencyTable.js';
import { Memo } from './memo.js';
import { type Outline, outlineOf } from './outline.js';
import { counterUse, isNameTaken, type Structure } from './stickCounters.js';
import type { DesiredState, LatencySettings } from '../types.js';

const clashes = new Memo<Outline, ReadonlyMap<string, string>>();

/**
 * Why latencies of services cannot be counted, by the service or tier whose backend it is: another line uses the stick
 * counter, on the way of a request to it.
 */
export function clashesOf(
  { base, services, sharedFrontend }: DesiredState,
  settings: LatencySettings,
): ReadonlyMap<string, string> {
  const outline = outlineOf(services);
  return clashes.of(outline, [base, sharedFrontend?.title, sharedFrontend?.lines, settings], () =>
    findClashes({ base, services: outline, sharedFrontend }, settings),
  );
}

function findClashes(
  structure: Structure,
  { stickCounter, except }: LatencySettings,
): ReadonlyMap<string, string> {
  const leftOut = new Set(except);
  const wanted = structure.services.filter(({ service }) => !leftOut.has(ownerOf(service)));
  if (isNameTaken(structure, latencyTable)) {
    const reason = `there is already a section ${latencyTable}`;
    return new Map(wanted.map(({ service }) => [service, reason]));
  }
  const whyNot = counterUse(structure, stickCounter);
  return new Map(
    wanted.flatMap(({ service, backend }): [string, string][] => {
      const isLong = backend.name.length > longestBackend;
      const reason =
        whyNot(backend) ?? (isLong ? `the name of its backend is longer than ${longestBackend}` : undefined);
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
