import type { Metrics } from '@smartstack/agent';
import type { GeneratorContext } from '../types.js';
import type { AppliedCommand } from './runtime/apply.js';
import { type Outline, outlineOf } from './desired/outline.js';
import { RowMemo } from './desired/rowMemo.js';
import { isTier } from './desired/tierNames.js';
import { type Running, runningIn } from './plan/running.js';
import type { ObservedState, ReloadReason, ServiceSections } from './types.js';

/** What the generator counts. */
export interface HaproxyMetrics {
  /** A reload ended; counted once for each kind of reason. */
  reloaded(reasons: readonly ReloadReason[], result: 'success' | 'failure'): void;
  applied(commands: readonly AppliedCommand[]): void;
  /** Our own HAProxy was started, or could not be. */
  started(result: 'success' | 'failure'): void;
  /** Undefined when nobody can tell: then there is no such series. */
  oldWorkers(count: number | undefined): void;
  /** Servers by state over the backends of services, as observed; one of a tier is its service's, too. */
  observed(states: readonly ObservedState[], services: readonly ServiceSections[]): void;
  quarantined(count: number): void;
  validated(result: 'valid' | 'invalid' | 'unchecked'): void;
  /** File descriptors that the configuration needs, and how many HAProxy may open, where that is known. */
  descriptors(needed: number, limit: number | undefined): void;
}

const states = ['up', 'down', 'drain', 'maint'] as const;
/** One that ramps up after its start (`slowstart`) takes traffic. */
const serving: ReadonlySet<string> = new Set(['up', 'starting']);

type StateCounts = Record<(typeof states)[number], number>;

const none: StateCounts = { up: 0, down: 0, drain: 0, maint: 0 };

function countStates(section: Running): StateCounts {
  const counts = { ...none };
  for (const { admin, operational } of section.values()) {
    counts[admin === 'ready' ? (serving.has(operational) ? 'up' : 'down') : admin] += 1;
  }
  return counts;
}

/** Counts the servers of one process; backends that did not change are not counted again. */
class ProcessCount {
  readonly #known = new RowMemo<StateCounts>();

  /** Of each backend once. */
  of({ backends }: ObservedState, outline: Outline): readonly StateCounts[] {
    const running = runningIn(backends, outline);
    return this.#known.of([outline], [running], (section, index) => {
      return section === undefined || isTier(outline[index]?.service ?? '') ? none : countStates(section);
    });
  }
}

/** Declares the generator's metrics. */
export function createHaproxyMetrics(metrics: Metrics): HaproxyMetrics {
  const reloads = metrics.counter({
    name: 'smartstack_haproxy_reload_total',
    help: 'Reloads of HAProxy by reason and result.',
    labels: ['reason', 'result'],
  });
  const starts = metrics.counter({
    name: 'smartstack_haproxy_start_total',
    help: 'Starts of an HAProxy by synapse (`managed`) by result.',
    labels: ['result'],
  });
  const commands = metrics.counter({
    name: 'smartstack_haproxy_runtime_command_total',
    help: 'Changes of a running HAProxy through its Runtime API by result.',
    labels: ['result'],
  });
  const oldWorkers = metrics.gauge({
    name: 'smartstack_haproxy_old_workers',
    help: 'Workers of earlier configurations that still end their requests; absent without a master to tell.',
  });
  // It begins as 0, which nobody has said yet.
  oldWorkers.remove({});
  const servers = metrics.gauge({
    name: 'smartstack_backends',
    help: 'Servers that HAProxy runs for the configured services, by state.',
    labels: ['state'],
  });
  const quarantined = metrics.gauge({
    name: 'smartstack_haproxy_quarantined',
    help: 'Services and servers that are held back because HAProxy rejects their lines.',
  });
  const checks = metrics.counter({
    name: 'smartstack_haproxy_config_check_total',
    help: 'Checks of a candidate haproxy.cfg by result.',
    labels: ['result'],
  });
  const needed = metrics.gauge({
    name: 'smartstack_haproxy_descriptors_needed',
    help: 'File descriptors that HAProxy needs at least to load the configuration.',
  });
  const limits = metrics.gauge({
    name: 'smartstack_haproxy_descriptors_limit',
    help: 'File descriptors that HAProxy may open; 0 while that is not known.',
  });
  const counting: ProcessCount[] = [];
  return {
    reloaded: (reasons, result) => {
      for (const reason of new Set(reasons.map(({ kind }) => kind))) reloads.inc({ reason, result });
    },
    applied: (applied) => {
      for (const { outcome } of applied) commands.inc({ result: outcome.result });
    },
    started: (result) => starts.inc({ result }),
    oldWorkers: (count) => (count === undefined ? oldWorkers.remove({}) : oldWorkers.set(count)),
    observed: (all, services) => {
      const sums = { up: 0, down: 0, drain: 0, maint: 0 };
      const outline = outlineOf(services);
      for (const [index, process] of all.entries()) {
        const count = (counting[index] ??= new ProcessCount());
        for (const counts of count.of(process, outline))
          for (const state of states) sums[state] += counts[state];
      }
      for (const state of states) servers.set(sums[state], { state });
    },
    quarantined: (count) => quarantined.set(count),
    validated: (result) => checks.inc({ result }),
    descriptors: (count, limit) => {
      needed.set(count);
      limits.set(limit ?? 0);
    },
  };
}

/** The metrics, with those that Ruby's synapse has sent to DogStatsD, too. */
export function alsoToStatsd(metrics: HaproxyMetrics, events: GeneratorContext['events']): HaproxyMetrics {
  if (events === undefined) return metrics;
  return {
    ...metrics,
    reloaded: (reasons, result) => {
      metrics.reloaded(reasons, result);
      if (result === 'failure') events.haproxyReloadFailed();
    },
    validated: (result) => {
      metrics.validated(result);
      if (result !== 'unchecked') events.haproxyChecked(result === 'valid');
    },
  };
}
