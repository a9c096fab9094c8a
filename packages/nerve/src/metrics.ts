import type { Counter, Gauge, Histogram, Metrics } from '@smartstack/agent';

/** Every metric of nerve but those of its ZooKeeper sessions. Labels: `service` is a service's name, `check` a check's. */
export interface NerveMetrics {
  readonly buildInfo: Gauge;
  readonly configValid: Gauge;
  readonly configReloads: Counter;
  readonly serviceUp: Gauge;
  readonly serviceRegistered: Gauge;
  /** Label `reporter`: its name. */
  readonly reporterRegistered: Gauge;
  readonly checkDuration: Histogram;
  readonly checkResults: Counter;
  readonly transitions: Counter;
  readonly throttled: Counter;
  readonly serviceDrained: Gauge;
  readonly serviceWeight: Gauge;
  readonly serviceHeld: Gauge;
  readonly checksDelayed: Counter;
  /** Only in the shadow of another nerve. */
  readonly shadowDiffers: Gauge;
  /** Hears of every execution of a check, and whether the check passes after it. */
  readonly checked: (service: string, check: string, up: boolean) => void;
}

/** Declares them all. */
export function declareMetrics(metrics: Metrics): NerveMetrics {
  return {
    buildInfo: metrics.gauge({
      name: 'smartstack_build_info',
      help: 'Always 1; the labels say what runs.',
      labels: ['agent', 'version'],
    }),
    configValid: metrics.gauge({
      name: 'smartstack_config_valid',
      help: 'Whether all of the configuration on disk is in use (1), or some of it has errors (0).',
    }),
    configReloads: metrics.counter({
      name: 'smartstack_config_reload_total',
      help: 'Times that the configuration was read again.',
      labels: ['result'],
    }),
    serviceUp: metrics.gauge({
      name: 'smartstack_service_up',
      help: "Whether the service's checks pass.",
      labels: ['service'],
    }),
    serviceRegistered: metrics.gauge({
      name: 'smartstack_service_registered',
      help: 'Whether the registry holds the service; with several reporters, whether all do.',
      labels: ['service'],
    }),
    reporterRegistered: metrics.gauge({
      name: 'smartstack_reporter_registered',
      help: 'Whether the registry of one reporter holds the service.',
      labels: ['service', 'reporter'],
    }),
    checkDuration: metrics.histogram({
      name: 'smartstack_check_duration_seconds',
      help: 'How long one execution of a check took.',
      labels: ['service', 'check'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    }),
    checkResults: metrics.counter({
      name: 'smartstack_check_result_total',
      help: 'Executions of checks by result, pass or fail.',
      labels: ['service', 'check', 'result'],
    }),
    transitions: metrics.counter({
      name: 'smartstack_service_transition_total',
      help: 'Changes of health by the new status, up or down.',
      labels: ['service', 'to'],
    }),
    throttled: metrics.counter({
      name: 'smartstack_report_throttled_total',
      help: 'Changes of the registration over the rate limit; in shadow mode they are made all the same.',
      labels: ['service', 'shadow'],
    }),
    serviceDrained: metrics.gauge({
      name: 'smartstack_service_drained',
      help: 'Whether an operator keeps the service out of the registry.',
      labels: ['service'],
    }),
    serviceWeight: metrics.gauge({
      name: 'smartstack_service_weight',
      help: 'The weight that is registered; absent without one, and while nothing is registered.',
      labels: ['service'],
    }),
    serviceHeld: metrics.gauge({
      name: 'smartstack_service_held',
      help: 'Whether the service is healthy and yet held back, for flapping or by its pre-available command.',
      labels: ['service'],
    }),
    checksDelayed: metrics.counter({
      name: 'smartstack_check_delayed_total',
      help: 'Checks that had to wait because max_concurrent_checks were under way.',
    }),
    shadowDiffers: metrics.gauge({
      name: 'smartstack_shadow_differs',
      help: 'With --shadow: whether what is registered has differed from what ours would register for more than 15 s.',
      labels: ['service', 'reporter'],
    }),
    checked: () => undefined,
  };
}

/** Drops what was measured of checks that a service no longer has. */
export function forgetChecks(metrics: NerveMetrics, service: string, checks: Iterable<string>): void {
  for (const check of checks) {
    metrics.checkDuration.remove({ service, check });
    for (const result of ['pass', 'fail']) metrics.checkResults.remove({ service, check, result });
  }
}

/** Drops all series of a service that is gone: names may come and go for as long as the agent runs. */
export function forgetService(metrics: NerveMetrics, service: string, checks: Iterable<string>): void {
  forgetChecks(metrics, service, checks);
  metrics.serviceUp.remove({ service });
  metrics.serviceRegistered.remove({ service });
  metrics.serviceDrained.remove({ service });
  metrics.serviceWeight.remove({ service });
  metrics.serviceHeld.remove({ service });
  for (const to of ['up', 'down']) metrics.transitions.remove({ service, to });
  for (const shadow of ['true', 'false']) metrics.throttled.remove({ service, shadow });
}
