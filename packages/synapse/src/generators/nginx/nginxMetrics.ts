import type { Metrics } from '@smartstack/agent';

/** What the generator counts. */
export interface NginxMetrics {
  reloaded(result: 'success' | 'failure'): void;
  checked(result: 'valid' | 'invalid' | 'unchecked'): void;
  quarantined(count: number): void;
  up(isUp: boolean): void;
}

/** Declares the generator's metrics. */
export function createNginxMetrics(metrics: Metrics): NginxMetrics {
  const reloads = metrics.counter({
    name: 'smartstack_nginx_reload_total',
    help: 'Starts and reloads of nginx by result.',
    labels: ['result'],
  });
  const checks = metrics.counter({
    name: 'smartstack_nginx_config_check_total',
    help: 'Checks of a candidate nginx.conf by result.',
    labels: ['result'],
  });
  const quarantined = metrics.gauge({
    name: 'smartstack_nginx_quarantined',
    help: 'Services that are held back because nginx rejects their lines.',
  });
  const up = metrics.gauge({
    name: 'smartstack_nginx_up',
    help: 'Whether nginx runs, as its pid file tells; 0 also where that is not known.',
  });
  return {
    reloaded: (result) => reloads.inc({ result }),
    checked: (result) => checks.inc({ result }),
    quarantined: (count) => quarantined.set(count),
    up: (isUp) => up.set(isUp ? 1 : 0),
  };
}
