import type { Metrics } from '@smartstack/agent';

/** What budgets of retries come to, for Prometheus. */
export interface BudgetMetrics {
  /** So many requests for a service failed and were not tried again; 0 makes its series appear. */
  withheld(service: string, count: number): void;
  /** A service has no budget any more. */
  forget(service: string): void;
}

/** Declares them. */
export function createBudgetMetrics(metrics: Metrics): BudgetMetrics {
  const withheld = metrics.counter({
    name: 'smartstack_retry_budget_withheld_total',
    help: 'Requests that failed and were not tried again, for the budget of retries was spent.',
    labels: ['dst_service'],
  });
  return {
    withheld: (dst_service, count) => withheld.inc({ dst_service }, count),
    forget: (dst_service) => withheld.remove({ dst_service }),
  };
}
