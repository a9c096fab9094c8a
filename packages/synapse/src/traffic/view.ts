import { quantile } from './latency.js';
import type { TrafficPoint, TrafficSummary } from './shapes.js';
import type { Sums } from './window.js';

const orNull = (value: number | undefined): number | null => value ?? null;

function successRate({ success, failure }: Sums): number | null {
  return success + failure > 0 ? success / (success + failure) : null;
}

/** Latencies are read more often than totals, so that for a moment there are more of them. */
function unmeasured({ success, failure, latencies }: Sums): number {
  const measured = latencies.reduce((sum, count) => sum + count, 0);
  return Math.max(0, success + failure - measured);
}

/** What `sums` of `seconds` come to; without `hasLatencies` nothing is said of latencies. */
export function summaryOf(sums: Sums, seconds: number, hasLatencies: boolean): TrafficSummary {
  const { latencies, meanDurationMs, requests, success, failure, aborted, bytesIn, bytesOut } = sums;
  const { retries, redispatches, connectErrors, responseErrors, clientAborts } = sums;
  return {
    seconds,
    ...{ requests, success, failure, aborted, bytesIn, bytesOut },
    ...{ retries, redispatches, connectErrors, responseErrors, clientAborts },
    rps: seconds > 0 ? sums.requests / seconds : 0,
    successRate: successRate(sums),
    p50: orNull(quantile(latencies, 0.5)),
    p95: orNull(quantile(latencies, 0.95)),
    p99: orNull(quantile(latencies, 0.99)),
    latencies: hasLatencies ? latencies : null,
    unmeasured: hasLatencies ? unmeasured(sums) : null,
    meanDuration: meanDurationMs === undefined ? null : meanDurationMs / 1000,
  };
}

/** One slot, which begins at `at` (wall clock milliseconds). */
export function pointOf(at: number, sums: Sums): TrafficPoint {
  const { requests, success, failure, aborted, bytesIn, bytesOut, retries, open, latencies } = sums;
  return {
    ...{ at, requests, success, failure, aborted, bytesIn, bytesOut, retries, open },
    p50: orNull(quantile(latencies, 0.5)),
    p95: orNull(quantile(latencies, 0.95)),
    p99: orNull(quantile(latencies, 0.99)),
  };
}
