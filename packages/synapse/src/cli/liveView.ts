import type { TapCounts, TapEvent } from '../tap/shapes.js';

/** Shows what an agent tells of requests. */
export interface LiveView {
  /** Takes an event, and the line that it came as. */
  event(event: TapEvent, line: string): void;
  /** It is over; `counts` are the last that are known. */
  end(counts: TapCounts | undefined): void;
}

/** What was not shown, for people; empty where that is nothing. */
export function missingText({ dropped, samplePercent }: TapCounts): string {
  const { rate, reader: unread, haproxy } = dropped;
  const parts = [
    ...(rate > 0 ? [`${rate} came faster than --max-rps`] : []),
    ...(unread > 0 ? [`${unread} were not read in time`] : []),
    ...(haproxy > 0 ? [`HAProxy had no room for ${haproxy}`] : []),
    ...(samplePercent < 100 ? [`HAProxy told of ${samplePercent}% of the requests`] : []),
  ];
  return parts.join('; ');
}
