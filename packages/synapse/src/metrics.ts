import type { Metrics } from '@smartstack/agent';

import type { CatalogStatus } from './catalog/catalog.js';
import type { ReconcileOutcome, ViewSource } from './catalog/types.js';

/** What the reconcile loop counts. */
export interface ReconcileMetrics {
  /** One pass of a generator took `seconds` and ended at `now` (milliseconds since the epoch). */
  passed(
    generator: string,
    outcome: ReconcileOutcome['outcome'] | 'failed',
    seconds: number,
    now: number,
  ): void;
}

/** What the watchers and the catalog show. */
export interface DiscoveryMetrics {
  /** A child of a service's path could not be understood or read. */
  undecodable(service: string): void;
  /** Sets the gauges of all services; those that left are dropped. */
  show(services: readonly CatalogStatus[]): void;
}

export interface ConfigurationMetrics {
  /** Whether all of what is on disk is in use. */
  configured(valid: boolean): void;
  /** The configuration was read again. */
  reloaded(valid: boolean): void;
  build(version: string): void;
}

export type SynapseMetrics = ReconcileMetrics & DiscoveryMetrics & ConfigurationMetrics;

const sources: readonly ViewSource[] = ['pending', 'live', 'stale', 'default', 'previous'];

/** Declares synapse's own metrics. */
export function createSynapseMetrics(metrics: Metrics): SynapseMetrics {
  const passes = metrics.counter({
    name: 'smartstack_reconcile_total',
    help: 'Passes of the reconcile loop by generator and outcome.',
    labels: ['generator', 'outcome'],
  });
  const duration = metrics.histogram({
    name: 'smartstack_reconcile_duration_seconds',
    help: 'How long one pass of the reconcile loop took.',
    labels: ['generator'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  });
  const lastSuccess = metrics.gauge({
    name: 'smartstack_reconcile_last_success_timestamp_seconds',
    help: 'When the last pass of a generator succeeded.',
    labels: ['generator'],
  });
  const undecodable = metrics.counter({
    name: 'smartstack_discovery_undecodable_total',
    help: 'Registrations that could not be understood or read, and were left out.',
    labels: ['service'],
  });
  const instances = metrics.gauge({
    name: 'smartstack_discovery_instances',
    help: 'Instances of a service that generators see.',
    labels: ['service'],
  });
  const held = metrics.gauge({
    name: 'smartstack_discovery_held_instances',
    help: 'Instances that vanished with most others of a service at once, and are kept for a time.',
    labels: ['service'],
  });
  const stale = metrics.gauge({
    name: 'smartstack_discovery_stale_seconds',
    help: 'For how long the source of a service has been lost; 0 while it is live.',
    labels: ['service'],
  });
  const source = metrics.gauge({
    name: 'smartstack_discovery_source',
    help: 'Where the instances of a service come from: 1 for the source in force.',
    labels: ['service', 'source'],
  });
  const configValid = metrics.gauge({
    name: 'smartstack_config_valid',
    help: 'Whether all of the configuration on disk is in use (1), or some of it has errors (0).',
  });
  const reloads = metrics.counter({
    name: 'smartstack_config_reload_total',
    help: 'Times that the configuration was read again.',
    labels: ['result'],
  });
  const buildInfo = metrics.gauge({
    name: 'smartstack_build_info',
    help: 'Always 1; the labels say what runs.',
    labels: ['agent', 'version'],
  });
  let shown: readonly string[] = [];
  return {
    passed: (generator, outcome, seconds, now) => {
      passes.inc({ generator, outcome });
      duration.observe(seconds, { generator });
      if (outcome !== 'failed' && outcome !== 'waiting') lastSuccess.set(now / 1000, { generator });
    },
    undecodable: (service) => undecodable.inc({ service }),
    show: (services) => {
      const names = new Set(services.map(({ name }) => name));
      for (const service of shown.filter((name) => !names.has(name))) {
        instances.remove({ service });
        held.remove({ service });
        stale.remove({ service });
        for (const each of sources) source.remove({ service, source: each });
      }
      shown = [...names];
      for (const { name: service, instances: those, held: kept, staleMs, source: inForce } of services) {
        instances.set(those.length, { service });
        held.set(kept, { service });
        stale.set(staleMs / 1000, { service });
        for (const each of sources) source.set(each === inForce ? 1 : 0, { service, source: each });
      }
    },
    configured: (valid) => configValid.set(valid ? 1 : 0),
    reloaded: (valid) => reloads.inc({ result: valid ? 'ok' : 'errors' }),
    build: (version) => buildInfo.set(1, { agent: 'synapse', version }),
  };
}
