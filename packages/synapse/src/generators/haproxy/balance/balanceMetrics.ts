import type { Metrics } from '@smartstack/agent';

/** What the balancing by latency does, for Prometheus. */
export interface BalanceMetrics {
  /** A server's own weight is multiplied with this. */
  factor(service: string, server: string, factor: number): void;
  /** A server is steered no more. */
  forget(service: string, server: string): void;
  /** So many weights changed. */
  changed(count: number): void;
}

/** Declares them. */
export function createBalanceMetrics(metrics: Metrics): BalanceMetrics {
  const factors = metrics.gauge({
    name: 'smartstack_balance_factor',
    help: "What a server's own weight is multiplied with for its latency and failures, from 0.01 to 1.",
    labels: ['dst_service', 'dst_instance'],
  });
  const changes = metrics.counter({
    name: 'smartstack_balance_changes_total',
    help: 'Weights that were changed for the latency and failures of servers.',
  });
  return {
    factor: (dst_service, dst_instance, factor) => factors.set(factor, { dst_service, dst_instance }),
    forget: (dst_service, dst_instance) => factors.remove({ dst_service, dst_instance }),
    changed: (count) => changes.inc({}, count),
  };
}
