import { describeError, type Statsd } from '@smartstack/agent';

import { version } from './version.js';

/** What happens, under the names and with the tags that the Ruby synapse sends to DogStatsD. */
export class StatsdEvents {
  readonly #statsd: Statsd & { readonly isConfigured?: boolean };

  constructor(statsd: Statsd & { readonly isConfigured?: boolean }) {
    this.#statsd = statsd;
  }

  /** Whether anybody listens: what costs something to find out need not be found out otherwise. */
  get isHeard(): boolean {
    return this.#statsd.isConfigured !== false;
  }

  started(): void {
    this.#statsd.increment('synapse.start');
  }

  /** After `elapsedMs` of running; `error` when it did not end as it was told to. Ruby then tells of two ends. */
  stopped(elapsedMs: number, error?: unknown): void {
    const where = 'stop_location:main_loop';
    this.#statsd.timing('synapse.main_loop.elapsed_time', elapsedMs);
    if (error !== undefined)
      this.#statsd.increment('synapse.stop', ['stop_avenue:abort', where, ...exception(error)]);
    this.#statsd.increment('synapse.stop', ['stop_avenue:clean', where]);
  }

  /** All watchers told something, or were waited for long enough. */
  watchersStarted(elapsedMs: number): void {
    this.#statsd.timing('synapse.watchers.start.time', elapsedMs);
  }

  watcherStarted(service: string): void {
    this.#statsd.increment('synapse.watcher.start', ['start_result:success', `watcher_name:${service}`]);
  }

  watcherFailed(service: string, error: unknown): void {
    const tags = ['start_result:fail', `watcher_name:${service}`, ...exception(error)];
    this.#statsd.increment('synapse.watcher.start', tags);
  }

  watcherStopped(service: string): void {
    const tags = ['stop_avenue:clean', 'stop_location:main_loop', `watcher_name:${service}`];
    this.#statsd.increment('synapse.watcher.stop', tags);
  }

  /** Once a second for each service: whether its source is there. */
  pinged(service: string, alive: boolean): void {
    const result = `ping_result:${alive ? 'success' : 'failure'}`;
    const tags = [`watcher_name:${service}`, result, `synapse_version:${version}`];
    this.#statsd.increment('synapse.watcher.ping.count', tags);
  }

  /** What generators see changed; at most once a second. */
  configUpdated(): void {
    this.#statsd.increment('synapse.config.update');
  }

  configFailed(generator: string): void {
    this.#statsd.increment('synapse.config.update_failed', [`config_name:${generator}`]);
  }

  haproxyChecked(valid: boolean): void {
    this.#statsd.increment('synapse.haproxy.check_config', [`status:${valid}`]);
  }

  haproxyReloadFailed(): void {
    this.#statsd.increment('synapse.haproxy.reload_failed');
  }

  zkClient(how: 'created' | 'reused', at: ZkPlace): void {
    this.#statsd.increment(`synapse.watcher.zk.client.${how}`, ofService(at));
  }

  zkConnected(elapsedMs: number, at: ZkPlace): void {
    this.#statsd.timing('synapse.watcher.zk.connect.elapsed_time', elapsedMs, ofService(at));
  }

  zkExpired(at: ZkPlace): void {
    this.#statsd.increment('synapse.watcher.zk.session.expired', ofService(at));
  }

  /** A service's path was read; `elapsedMs` after the event that said so, where there was one. */
  zkDiscovered(elapsedMs: number | undefined, { hosts, service }: ZkPlace, path: string): void {
    const tags = [zkCluster(hosts), `zk_path:${path}`, `service_name:${service}`];
    this.#statsd.increment('synapse.watcher.zk.discovery', tags);
    if (elapsedMs !== undefined)
      this.#statsd.timing('synapse.watcher.zk.discovery.elapsed_time', elapsedMs, tags);
  }

  /** How long the names of a path's children are together. */
  zkChildren(bytes: number, hosts: readonly string[], path: string): void {
    this.#statsd.gauge('synapse.watcher.zk.children.bytes', bytes, [zkCluster(hosts), `zk_path:${path}`]);
  }

  /** There is no such path. */
  zkChildrenFailed(at: ZkPlace): void {
    this.#statsd.increment('synapse.watcher.zk.children.failed', ofService(at));
  }

  zkGetChildFailed(): void {
    this.#statsd.increment('synapse.watcher.zk.get_child_failed');
  }

  zkParseChildFailed(): void {
    this.#statsd.increment('synapse.watcher.zk.parse_child_failed');
  }

  zkGetConfigFailed(): void {
    this.#statsd.increment('synapse.watcher.zk.get_config_failed');
  }

  multiStarted(): void {
    this.#statsd.increment('synapse.watcher.multi.start');
  }

  multiStopped(): void {
    this.#statsd.increment('synapse.watcher.multi.stop');
  }

  /** A resolver of Ruby's decided for a watcher, or for none: `result:skip`, or `result:fail` with a reason. */
  resolverSwitched(resolver: 'sequential' | 's3_toggle', outcome: SwitchOutcome): void {
    const tags =
      outcome === 'skip'
        ? ['result:skip']
        : 'watcher' in outcome
          ? ['result:success', `watcher:${outcome.watcher}`]
          : ['result:fail', `reason:${outcome.failed}`];
    this.#statsd.increment(`synapse.watcher.multi.resolver.${resolver}.switch`, tags);
  }

  /** The weights in S3 cannot be had, or not be understood. */
  weightsFailed(reason: 's3_error' | 'parse_error' | 'invalid_schema'): void {
    this.#statsd.increment('synapse.watcher.multi.resolver.s3_toggle.fetch_failure', [`reason:${reason}`]);
  }

  zkPolled(): void {
    this.#statsd.increment('synapse.watcher.zookeeper_poll.discover');
  }

  dnsFailed(service: string): void {
    this.#statsd.increment('synapse.watcher.dns.resolve_failed', [`service_name:${service}`]);
  }
}

/** What a resolver came to. Nobody is chosen where nothing can be read, no weight is above 0, or nobody has the name. */
export type SwitchOutcome =
  | { readonly watcher: string }
  | { readonly failed: 'nil_weights' | 'zero_sum' | 'no_choice' | 'unknown_watcher' }
  /** The weights are those of before. */
  | 'skip';

/** Whose ZooKeeper it is. */
export interface ZkPlace {
  readonly hosts: readonly string[];
  readonly service: string;
}

function ofService({ hosts, service }: ZkPlace): readonly string[] {
  return [zkCluster(hosts), `service_name:${service}`];
}

function exception(error: unknown): readonly string[] {
  const { name, message } =
    error instanceof Error ? error : { name: typeof error, message: describeError(error) };
  return [`exception_name:${name}`, `exception_message:${message}`];
}

/** As Ruby's synapse calls an ensemble: the first host's first label without the digits at its end. */
function zkCluster(hosts: readonly string[]): string {
  const [first = ''] = [...hosts].sort();
  const [label = ''] = first.split('.');
  const name = label.replace(/\d+$/, '');
  return `zk_cluster:${name === '' ? first : name}`;
}
