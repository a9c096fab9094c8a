import {
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  type Metric as PromMetric,
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

/** A histogram that somebody else counted. */
export interface CountedHistogram {
  /** Adds to each bucket, the last of which is above all bounds, and to the sum of all values. */
  add(counts: readonly number[], sum: number, labels: MetricLabels): void;
  /** Drops the series with exactly these labels. */
  remove(labels: MetricLabels): void;
}

/** Where an agent declares its metrics. Names are unique; declaring one twice is a bug and throws. */
export interface Metrics {
  counter(options: MetricOptions): Counter;
  gauge(options: MetricOptions): Gauge;
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): Histogram;
  countedHistogram(options: MetricOptions & { readonly buckets: readonly number[] }): CountedHistogram;
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
    countedHistogram: (options) => {
      const histogram = new Counted(options);
      registry.registerMetric(histogram as unknown as PromMetric);
      return histogram;
    },
    expose: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}

interface CountedSeries {
  readonly labels: MetricLabels;
  readonly counts: number[];
  sum: number;
}

/** prom-client's own takes one value at a time; its registry shows whatever has a `get`. */
class Counted implements CountedHistogram {
  readonly name: string;
  readonly #options: MetricOptions & { readonly buckets: readonly number[] };
  readonly #series = new Map<string, CountedSeries>();

  constructor(options: MetricOptions & { readonly buckets: readonly number[] }) {
    this.name = options.name;
    this.#options = options;
  }

  add(counts: readonly number[], sum: number, labels: MetricLabels): void {
    const key = this.#keyOf(labels);
    const width = this.#options.buckets.length + 1;
    const series = this.#series.get(key) ?? { labels, counts: new Array<number>(width).fill(0), sum: 0 };
    this.#series.set(key, series);
    for (let bucket = 0; bucket < width; bucket += 1)
      series.counts[bucket] = (series.counts[bucket] ?? 0) + (counts[bucket] ?? 0);
    series.sum += sum;
  }

  remove(labels: MetricLabels): void {
    this.#series.delete(this.#keyOf(labels));
  }

  /** What prom-client's registry writes. */
  get(): Promise<unknown> {
    const { help, buckets } = this.#options;
    const values = [...this.#series.values()].flatMap(({ labels, counts, sum }) => {
      let total = 0;
      const cumulative = counts.map((count, bucket) => ({
        labels: { le: buckets[bucket] ?? '+Inf', ...labels },
        value: (total += count),
        metricName: `${this.name}_bucket`,
      }));
      return [
        ...cumulative,
        { labels, value: sum, metricName: `${this.name}_sum` },
        { labels, value: total, metricName: `${this.name}_count` },
      ];
    });
    return Promise.resolve({ name: this.name, help, type: 'histogram', values });
  }

  #keyOf(labels: MetricLabels): string {
    return JSON.stringify((this.#options.labels ?? []).map((label) => labels[label] ?? ''));
  }
}
