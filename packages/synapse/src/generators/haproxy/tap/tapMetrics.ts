import type { Metrics } from '@smartstack/agent';

/** What the live view costs, for Prometheus. */
export interface TapMetrics {
  /** So many taps are open. */
  readers(count: number): void;
  /** HAProxy told of so many requests. */
  lines(count: number): void;
  /** So many requests were not shown. */
  dropped(by: 'haproxy' | 'rate' | 'reader', count: number): void;
}

/** Declares them. */
export function createTapMetrics(metrics: Metrics): TapMetrics {
  const readers = metrics.gauge({
    name: 'smartstack_tap_readers',
    help: 'Who looks at requests at the moment (synapse tap, synapse top, the dashboard).',
  });
  const lines = metrics.counter({
    name: 'smartstack_tap_lines_total',
    help: 'Requests that HAProxy told of for them.',
  });
  const dropped = metrics.counter({
    name: 'smartstack_tap_dropped_total',
    help: 'Requests that were not shown: HAProxy had no room for them, they came too fast, or the reader did not read.',
    labels: ['by'],
  });
  return {
    readers: (count) => readers.set(count),
    lines: (count) => lines.inc({}, count),
    dropped: (by, count) => dropped.inc({ by }, count),
  };
}
