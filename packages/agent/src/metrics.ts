import {
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client';

export type MetricLabels = Readonly<Record<string, string>>;

export interface MetricOptions {
  /** Prometheus name: base units, counters end in `_total`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

export interface Counter {
  inc(labels?: MetricLabels, by?: number): void;
  /** Drops the series with exactly these labels. */
  remove(labels: MetricLabels): void;
}
export interface Gauge {
  set(value: number, labels?: MetricLabels): void;
  /** Drops the series with exactly these labels (a service that left). */
  remove(labels: MetricLabels): void;
}
export interface Histogram {
  observe(value: number, labels?: MetricLabels): void;
  /** Drops the series with exactly these labels. */
  remove(labels: MetricLabels): void;
}

/** Where an agent declares its metrics. Names are unique; declaring one twice is a bug and throws. */
export interface Metrics {
  counter(options: MetricOptions): Counter;
  gauge(options: MetricOptions): Gauge;
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): Histogram;
  /** The whole registry in Prometheus's text format. */
  expose(): Promise<{ readonly contentType: string; readonly body: string }>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const base = ({ name, help, labels = [] }: MetricOptions) => ({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
  });
  return {
    counter: (options) => {
      const counter = new PromCounter(base(options));
      return {
        inc: (labels = {}, by = 1) => counter.inc({ ...labels }, by),
        remove: (labels) => counter.remove({ ...labels }),
      };
    },
    gauge: (options) => {
      const gauge = new PromGauge(base(options));
      return {
        set: (value, labels = {}) => gauge.set({ ...labels }, value),
        remove: (labels) => gauge.remove({ ...labels }),
      };
    },
    histogram: (options) => {
      const histogram = new PromHistogram({ ...base(options), buckets: [...options.buckets] });
      return {
        observe: (value, labels = {}) => histogram.observe({ ...labels }, value),
        remove: (labels) => histogram.remove({ ...labels }),
      };
    },
    expose: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}
