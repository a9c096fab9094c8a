import type { TrafficAnswer } from '../traffic/shapes.js';

/** What a host counted of a service over the last minute. */
export interface Counts {
  readonly service: string;
  /** How much of the minute was observed. */
  readonly seconds: number;
  /** Requests that began, or connections. */
  readonly requests: number;
  readonly success: number;
  readonly failure: number;
  /** Responses by latency, as in `latencyBounds`; null where none are counted. */
  readonly latencies: readonly number[] | null;
}

/** What a host counted, by service. */
export type ServiceCounts = ReadonlyMap<string, Counts>;

/** What an answer about traffic comes to. */
export function countsOf(traffic: TrafficAnswer | undefined): ServiceCounts {
  return new Map(
    traffic?.services.map(({ service, summary }) => {
      const { seconds, requests, success, failure, latencies } = summary;
      return [service, { service, seconds, requests, success, failure, latencies }];
    }),
  );
}
