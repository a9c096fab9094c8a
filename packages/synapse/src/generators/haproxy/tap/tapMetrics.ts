import type { Metrics } from '@smartstack/agent';

/** Requests since the start. */
export interface TapTotals {
  /** That HAProxy told of. */
  readonly lines: number;
  /** That were not shown, by why. */
  readonly dropped: { readonly haproxy: number; readonly rate: number; readonly reader: number };
}

/** What the live view costs, for Prometheus. */
export interface TapMetrics {
  readonly totals: TapTotals;
  /** So many taps are open. */
  readers(count: number): void;
  /** HAProxy told of so many requests. */
  lines(count: number): void;
  /** So many requests were not shown. */
  dropped(by: keyof TapTotals['dropped'], count: number): void;
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
  const totals = { lines: 0, dropped: { haproxy: 0, rate: 0, reader: 0 } };
  return {
    totals,
    readers: (count) => readers.set(count),
    lines: (count) => {
      totals.lines += count;
      lines.inc({}, count);
    },
    dropped: (by, count) => {
      totals.dropped[by] += count;
      dropped.inc({ by }, count);
    },
  };
}
