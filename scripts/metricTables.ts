import type { CountedHistogram, Counter, Gauge, Histogram, MetricOptions, Metrics } from '@smartstack/agent';
import { declareZooKeeperMetrics } from '@smartstack/registry';
import { declareMetrics } from '../packages/nerve/src/metrics.ts';
import { createFileOutputMetrics } from '../packages/synapse/src/generators/fileOutput/fileOutputMetrics.ts';
import { createNginxMetrics } from '../packages/synapse/src/generators/nginx/nginxMetrics.ts';
import { createTemplateMetrics } from '../packages/synapse/src/generators/template/templateMetrics.ts';
import { createBalanceMetrics } from '../packages/synapse/src/generators/haproxy/balance/balanceMetrics.ts';
import { createHaproxyMetrics } from '../packages/synapse/src/generators/haproxy/haproxyMetrics.ts';
import { shadowGauge } from '../packages/synapse/src/generators/differences.ts';
import { createTrafficMetrics } from '../packages/synapse/src/generators/haproxy/trafficMetrics.ts';
import { createSynapseMetrics } from '../packages/synapse/src/metrics.ts';

interface Declared {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
}

/** Runs declarations against a registry that only takes notes. */
function declared(declare: (metrics: Metrics) => void): readonly Declared[] {
  const notes: Declared[] = [];
  const note =
    <T>(type: Declared['type'], nothing: T) =>
    ({ name, help, labels = [] }: MetricOptions): T => {
      notes.push({ name, type, labels, help });
      return nothing;
    };
  const ignore = (): void => undefined;
  const counter: Counter = { inc: ignore, remove: ignore };
  const gauge: Gauge = { set: ignore, remove: ignore };
  const histogram: Histogram = { observe: ignore, remove: ignore };
  declare({
    counter: note('counter', counter),
    gauge: note('gauge', gauge),
    histogram: note('histogram', histogram),
    countedHistogram: note<CountedHistogram>('histogram', { add: ignore, remove: ignore }),
    expose: () => Promise.reject(new Error('it only takes notes')),
  });
  return notes;
}

function table(metrics: readonly Declared[]): string {
  const rows = metrics.map(({ name, type, labels, help }) => {
    const shown = labels.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${shown} | ${help} |`;
  });
  return ['| metric | type | labels | |', '|---|---|---|---|', ...rows].join('\n');
}

/** Every metric of both agents, as Markdown: from the declarations themselves. */
export function metricTables(): string {
  return [
    '### Both agents',
    table(declared(declareZooKeeperMetrics)),
    '### nerve',
    table(declared(declareMetrics)),
    '### synapse',
    table([
      ...declared(createSynapseMetrics),
      ...declared(createHaproxyMetrics),
      ...declared(createTrafficMetrics),
      ...declared(createBalanceMetrics),
      ...declared(createFileOutputMetrics),
      ...declared(shadowGauge),
      ...declared(createNginxMetrics),
      ...declared(createTemplateMetrics),
    ]),
  ].join('\n\n');
}

const section = /(<!-- metrics -->)[^]*?(<!-- end of metrics -->)/;

/** Fills the `<!-- metrics -->` section of a Markdown text. */
export function fillMetrics(text: string): string {
  return text.replace(section, (_, begin: string, end: string) => `${begin}\n\n${metricTables()}\n\n${end}`);
}
