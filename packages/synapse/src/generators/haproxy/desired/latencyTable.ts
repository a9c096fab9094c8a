import type { Section } from '../types.js';

/** The section whose stick table holds the histograms; its entries are called `backend/server id`. */
export const latencyTable = 'synapse-latencies';

/** Longest key, in characters. */
export const keyLength = 128;

/** Longest name of a backend that leaves room for a server's id in a key. */
export const longestBackend = keyLength - 12;

/** True for that section. */
export function isLatencyTable({ title }: Pick<Section, 'title'>): boolean {
  return title === `backend ${latencyTable}`;
}
