import { sameLines } from './sameSection.js';
import type { DesiredState } from '../types.js';

/**
 * True when both hold the very same sections. Cheap, whatever their size; states that merely equal each other may
 * count as different.
 */
export function isSameState(a: DesiredState | undefined, b: DesiredState | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return (
    a.base === b.base &&
    a.services.length === b.services.length &&
    a.services.every((sections, index) => sections === b.services[index]) &&
    sameLines(a.sharedFrontend?.lines, b.sharedFrontend?.lines)
  );
}
