import { describe, expect, it } from 'vitest';
import { createMetrics } from './metrics.js';

describe('createMetrics', () => {
  it("exposes counters, gauges and histograms in Prometheus's format", async () => {
    const metrics = createMetrics();
    const counter = metrics.counter({ name: 'nerve_probes_total', help: 'Probes.', labels: ['service'] });
    counter.inc({ service: 'web' });
    counter.inc({ service: 'web' }, 2);
    const gauge = metrics.gauge({ name: 'nerve_up', help: 'Up.', labels: ['service'] });
    gauge.set(1, { service: 'web' });
    gauge.set(0, { service: 'api' });
    gauge.remove({ service: 'api' });
    gauge.remove({ service: 'never' });
    const histogram = metrics.histogram({ name: 'probe_seconds', help: 'Time.', buckets: [0.1, 1] });
    histogram.observe(0.5);
    const { contentType, body } = await metrics.expose();
    expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(body.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
      'nerve_probes_total{service="web"} 3',
      'nerve_up{service="web"} 1',
      'probe_seconds_bucket{le="0.1"} 0',
      'probe_seconds_bucket{le="1"} 1',
      'probe_seconds_bucket{le="+Inf"} 1',
      'probe_seconds_sum 0.5',
      'probe_seconds_count 1',
    ]);
  });

  it('drops exactly the series that is told, of every kind', async () => {
    const metrics = createMetrics();
    const labels = ['service', 'result'];
    const counter = metrics.counter({ name: 'probes_total', help: 'Probes.', labels });
    const histogram = metrics.histogram({ name: 'probe_seconds', help: 'Time.', labels, buckets: [1] });
    for (const service of ['web', 'api']) {
      counter.inc({ service, result: 'pass' });
      histogram.observe(1, { service, result: 'pass' });
    }
    for (const metric of [counter, histogram]) {
      metric.remove({ service: 'web', result: 'pass' });
      metric.remove({ service: 'api', result: 'fail' });
    }
    const { body } = await metrics.expose();
    expect(body).not.toContain('web');
    expect(body.split('\n').filter((line) => line.includes('api'))).toHaveLength(5);
  });

  it('keeps a hostile label value inside its quotes', async () => {
    const metrics = createMetrics();
    metrics
      .gauge({ name: 'up', help: 'Up.', labels: ['service'] })
      .set(1, { service: 'a"} 1\nforged{x="\\' });
    const { body } = await metrics.expose();
    expect(body.split('\n').filter((line) => line.startsWith('forged'))).toEqual([]);
    expect(body).toContain('up{service="a\\"} 1\\nforged{x=\\"\\\\"} 1');
  });

  it('refuses a name twice, and keeps registries apart', () => {
    const options = { name: 'up', help: 'Up.' };
    const metrics = createMetrics();
    metrics.gauge(options);
    expect(() => metrics.gauge(options)).toThrow(/already been registered/);
    expect(() => createMetrics().gauge(options)).not.toThrow();
  });

  it('refuses a label that was not declared', () => {
    const counter = createMetrics().counter({ name: 'a_total', help: 'A.', labels: ['b'] });
    expect(() => counter.inc({ c: '1' })).toThrow();
  });
});

describe('a histogram that somebody else counted', () => {
  const options = { name: 'latency_seconds', help: 'Time.', labels: ['dst'], buckets: [0.1, 1] };

  it('is shown as one that was observed', async () => {
    const [counted, observed] = [createMetrics(), createMetrics()];
    const [mine, theirs] = [counted.countedHistogram(options), observed.histogram(options)];
    for (const dst of ['a', 'b']) for (const value of [0.05, 0.5, 0.5, 4]) theirs.observe(value, { dst });
    for (const dst of ['a', 'b']) mine.add([1, 0, 1], 4.05, { dst });
    for (const dst of ['a', 'b']) mine.add([0, 2, 0], 1, { dst });
    const text = async (metrics: typeof counted): Promise<string> => (await metrics.expose()).body;
    expect(await text(counted)).toBe(await text(observed));
    mine.remove({ dst: 'a' });
    expect(await text(counted)).not.toContain('dst="a"');
    expect(() => counted.gauge(options)).toThrow(/already been registered/);
  });
});
