import { describeError, type Statsd } from '@smartstack/agent';
import type { NerveMetrics } from './metrics.js';
import { version } from './version.js';

/** What happens, under the names and with the tags that the Ruby nerve sends to DogStatsD. */
export class StatsdEvents {
  readonly #statsd: Statsd;

  constructor(statsd: Statsd) {
    this.#statsd = statsd;
  }

  started(): void {
    this.#statsd.increment('nerve.start');
  }

  /** After `elapsedMs` of running; `error` when it did not end as it was told to. */
  stopped(elapsedMs: number, error?: unknown): void {
    this.#statsd.timing('nerve.main_loop.elapsed_time', elapsedMs);
    const how = error === undefined ? ['stop_avenue:clean'] : ['stop_avenue:abort'];
    this.#statsd.increment('nerve.stop', [...how, 'stop_location:main_loop', ...exception(error)]);
  }

  configured(): void {
    this.#statsd.increment('nerve.config.update');
  }

  serviceAdded(service: string): void {
    this.#statsd.increment('nerve.watcher.launch', ['launch_reason:new', `watcher_name:${service}`]);
    this.#statsd.increment('nerve.watcher.start', [`service_name:${service}`]);
  }

  /** Ruby starts another watcher under the name, and stops the old one. */
  serviceChanged(service: string): void {
    this.#statsd.increment('nerve.watcher.launch', ['launch_reason:update', `watcher_name:${service}`]);
    this.#statsd.increment('nerve.watcher.start', [`service_name:${service}`]);
    this.#statsd.increment('nerve.watcher.reap', ['reap_reason:update', `watcher_name:${service}`]);
    this.serviceStopped(service);
  }

  serviceRemoved(service: string): void {
    this.#statsd.increment('nerve.watcher.reap', ['reap_reason:old', `watcher_name:${service}`]);
    this.serviceStopped(service);
  }

  serviceStopped(service: string): void {
    const tags = ['stop_avenue:clean', 'stop_location:main_loop', `service_name:${service}`];
    this.#statsd.increment('nerve.watcher.stop', tags);
  }

  /** One round of a service's checks begins; Ruby asks its reporter first whether its registry can be reached. */
  pinged(service: string, reached: boolean): void {
    const result = reached ? 'success' : 'fail';
    const tags = [`ping_result:${result}`, `service_name:${service}`, `nerve_version:${version}`];
    this.#statsd.increment('nerve.watcher.status.ping.count', tags);
  }

  checked(service: string, check: string, up: boolean): void {
    const tags = [`check_result:${up ? 'up' : 'down'}`, `service_name:${service}`, `check_name:${check}`];
    this.#statsd.increment('nerve.watcher.status.service_check', tags);
  }

  /** The health of a service changed. */
  transited(service: string, to: string): void {
    this.#statsd.increment('nerve.watcher.status.transition', [
      `new_status:${to}`,
      `service_name:${service}`,
    ]);
  }

  /** A registry took a change of the registration, or did not. */
  reported(service: string, success: boolean): void {
    const tags = [`report_result:${success ? 'success' : 'fail'}`, `service_name:${service}`];
    this.#statsd.increment('nerve.watcher.status.report.count', tags);
  }

  throttled(service: string, shadow: string): void {
    this.#statsd.increment('nerve.watcher.throttled', [`service_name:${service}`, `shadow_mode:${shadow}`]);
  }

  zkClient(how: 'created' | 'reused', hosts: readonly string[]): void {
    this.#statsd.increment(`nerve.reporter.zk.client.${how}`, [zkCluster(hosts)]);
  }

  /** The length of the data that go into a node's name. */
  zkChildBytes(bytes: number, hosts: readonly string[], path: string): void {
    this.#statsd.gauge('nerve.reporter.zk.child.bytes', bytes, [zkCluster(hosts), `zk_path:${path}`]);
  }

  zkWrote(op: 'create' | 'delete' | 'save', elapsedMs: number, hosts: readonly string[], path: string): void {
    const tags = op === 'create' ? [zkCluster(hosts), `zk_path:${path}`] : [zkCluster(hosts)];
    this.#statsd.timing(`nerve.reporter.zk.${op}.elapsed_time`, elapsedMs, tags);
  }

  /** A persistent node was renewed; `reason` why not. */
  zkRenewed(hosts: readonly string[], reason?: 'no_node' | 'connection_error'): void {
    const result = reason === undefined ? ['result:success'] : ['result:fail', `reason:${reason}`];
    this.#statsd.increment('nerve.reporter.zk.ttl.renew', [zkCluster(hosts), ...result]);
  }
}

function exception(error: unknown): readonly string[] {
  if (error === undefined) return [];
  const { name, message } =
    error instanceof Error ? error : { name: typeof error, message: describeError(error) };
  return [`exception_name:${name}`, `exception_message:${message}`];
}

/** As Ruby's nerve calls an ensemble: the first host's first label without the digits at its end. */
export function zkCluster(hosts: readonly string[]): string {
  const [first = ''] = [...hosts].sort();
  const [label = ''] = first.split('.');
  const name = label.replace(/\d+$/, '');
  return `zk_cluster:${name === '' ? first : name}`;
}

/** The metrics, with those that Ruby's nerve has sent to DogStatsD, too. `reached`: whether a service's registry can be. */
export function alsoToStatsd(
  metrics: NerveMetrics,
  events: StatsdEvents,
  reached: (service: string) => boolean,
): NerveMetrics {
  const of = (labels: Readonly<Record<string, string>> | undefined, key: string): string =>
    labels?.[key] ?? '';
  return {
    ...metrics,
    serviceUp: {
      ...metrics.serviceUp,
      // Set with every round.
      set: (value, labels) => {
        metrics.serviceUp.set(value, labels);
        const service = of(labels, 'service');
        events.pinged(service, reached(service));
      },
    },
    checked: (service, check, up) => events.checked(service, check, up),
    transitions: {
      ...metrics.transitions,
      inc: (labels, by) => {
        metrics.transitions.inc(labels, by);
        events.transited(of(labels, 'service'), of(labels, 'to'));
      },
    },
    throttled: {
      ...metrics.throttled,
      inc: (labels, by) => {
        metrics.throttled.inc(labels, by);
        events.throttled(of(labels, 'service'), of(labels, 'shadow'));
      },
    },
  };
}
