import type { Counter, Gauge, Metrics } from '@smartstack/agent';

/** What is counted of etcd. Label `cluster`: the members, as configured. */
export interface EtcdMetrics {
  /** 1 while there is a lease. */
  readonly leaseHeld: Gauge;
  /** Leases taken; every one after the first means that one was lost. */
  readonly leases: Counter;
}

/** Declares them all; call it once per agent. */
export function declareEtcdMetrics(metrics: Metrics): EtcdMetrics {
  return {
    leaseHeld: metrics.gauge({
      name: 'smartstack_etcd_lease_held',
      help: 'Whether there is an etcd lease for registrations to hang on.',
      labels: ['cluster'],
    }),
    leases: metrics.counter({
      name: 'smartstack_etcd_leases_total',
      help: 'etcd leases taken; each after the first replaces one that was lost.',
      labels: ['cluster'],
    }),
  };
}
