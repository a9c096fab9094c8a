import type { Metrics } from '@smartstack/agent';

/** What the generator counts. */
export interface TemplateMetrics {
  wrote(result: 'success' | 'failure'): void;
  ran(result: 'success' | 'failure'): void;
  /** So many templates cannot be rendered now. */
  broken(count: number): void;
}

/** Declares the generator's metrics. */
export function createTemplateMetrics(metrics: Metrics): TemplateMetrics {
  const writes = metrics.counter({
    name: 'smartstack_template_write_total',
    help: 'Files that were made of templates, by result.',
    labels: ['result'],
  });
  const commands = metrics.counter({
    name: 'smartstack_template_command_total',
    help: 'Runs of post_template_command, by result.',
    labels: ['result'],
  });
  const broken = metrics.gauge({
    name: 'smartstack_template_broken',
    help: 'Templates that cannot be read or rendered now: their files stay as they are.',
  });
  return {
    wrote: (result) => writes.inc({ result }),
    ran: (result) => commands.inc({ result }),
    broken: (count) => broken.set(count),
  };
}
