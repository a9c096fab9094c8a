import type { DesiredState } from '../types.js';

/**
 * True when both hold the very same sections. Cheap, whatever their size; states that merely equal each other may
 * count as different.
 */
export function isSameState(a: DesiredState | undefined, b: DesiredState | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  const [mine, theirs] = [a.sharedFrontend?.lines, b.sharedFrontend?.lines];
  return (
    a.base === b.base &&
    a.services.length === b.services.length &&
    a.services.every((sections, index) => sections === b.services[index]) &&
    mine?.length === theirs?.length &&
    (mine ?? []).every((line, index) => line === theirs?.[index])
  );
}
