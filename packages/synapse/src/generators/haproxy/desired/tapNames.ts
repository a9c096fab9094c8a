import type { Section } from '../types.js';

/** The ring in which HAProxy writes a line about each request that is tapped, and the table that says whose are. */
export const tapName = 'synapse-tap';

/** Parts of a whole that the table's numbers are: 1000 is every request. */
export const wholeTap = 1000;

/** How long a number in the table lasts that nobody renews, in seconds: so long is HAProxy busy for a reader that died. */
export const tapLeaseSeconds = 4;

/** First word of each line, which says what follows. */
export const tapLineMark = 'tap1';

/** True for the sections of the tap. */
export function isTapSection({ title }: Pick<Section, 'title'>): boolean {
  return title === `ring ${tapName}` || title === `backend ${tapName}`;
}
