import type { Metrics } from '@smartstack/agent';

/** What the generator counts. */
export interface FileOutputMetrics {
  wrote(result: 'success' | 'failure'): void;
  /** So many files of services that there are not were removed. */
  purged(count: number): void;
}

/** Declares the generator's metrics. */
export function createFileOutputMetrics(metrics: Metrics): FileOutputMetrics {
  const writes = metrics.counter({
    name: 'smartstack_file_output_write_total',
    help: 'Files of services that `file_output` wrote, by result.',
    labels: ['result'],
  });
  const purges = metrics.counter({
    name: 'smartstack_file_output_purge_total',
    help: 'Files of unknown services that `file_output` removed.',
  });
  return {
    wrote: (result) => writes.inc({ result }),
    purged: (count) => purges.inc({}, count),
  };
}
