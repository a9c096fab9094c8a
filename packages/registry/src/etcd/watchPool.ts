import { isDeepStrictEqual } from 'node:util';
import { type Clock, type Logger } from '@smartstack/agent';
import { EtcdClient } from './client.js';
import { EtcdError } from './errors.js';
import { type PrefixListener, PrefixWatch } from './prefixWatch.js';
import type { EtcdSettings } from './types.js';
import { countOf } from './watchMessages.js';

export interface EtcdWatchPoolOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

/** One member's time for an answer, and the time between two questions whether the cluster lives, in milliseconds. */
const timeoutMs = 2_000;
const pulseMs = 5_000;

interface Cluster {
  readonly settings: EtcdSettings;
  readonly client: EtcdClient;
  readonly stop: AbortController;
  readonly prefixes: Set<{ readonly prefix: string }>;
  broken: AbortController;
  pulse: Promise<void>;
}

/** Watches of prefixes; all of one cluster, as the same user, share connections and the question whether it lives. */
export class EtcdWatchPool {
  readonly #options: EtcdWatchPoolOptions;
  #clusters: readonly Cluster[] = [];

  constructor(options: EtcdWatchPoolOptions) {
    this.#options = options;
  }

  /** Follows the keys that begin with `prefix` until `signal` aborts. Never rejects for what etcd does. */
  async watch(
    settings: EtcdSettings,
    prefix: string,
    listener: PrefixListener,
    signal: AbortSignal,
  ): Promise<void> {
    const cluster = this.#clusterFor(settings);
    const user = { prefix };
    cluster.prefixes.add(user);
    const { clock, random } = this.#options;
    const { client } = cluster;
    const broken = (): AbortSignal => cluster.broken.signal;
    try {
      await new PrefixWatch({ client, prefix, listener, clock, random, broken }).run(signal);
    } finally {
      cluster.prefixes.delete(user);
      if (cluster.prefixes.size === 0) await this.#end(cluster);
    }
  }

  #clusterFor(settings: EtcdSettings): Cluster {
    const known = this.#clusters.find((one) => isDeepStrictEqual(one.settings, settings));
    if (known) return known;
    const cluster: Cluster = {
      settings,
      client: new EtcdClient({ ...settings, ...this.#options, timeoutMs }),
      stop: new AbortController(),
      prefixes: new Set(),
      broken: new AbortController(),
      pulse: Promise.resolve(),
    };
    cluster.pulse = this.#feel(cluster);
    this.#clusters = [...this.#clusters, cluster];
    return cluster;
  }

  async #end(cluster: Cluster): Promise<void> {
    this.#clusters = this.#clusters.filter((one) => one !== cluster);
    cluster.stop.abort();
    cluster.client.close();
    await cluster.pulse;
  }

  async #feel(cluster: Cluster): Promise<void> {
    const { signal } = cluster.stop;
    while (!signal.aborted) {
      await this.#options.clock.sleep(pulseMs, signal).catch(() => undefined);
      const [one] = cluster.prefixes;
      if (one === undefined) continue;
      try {
        await cluster.client.call('/v3/kv/range', countOf(one.prefix));
      } catch (error) {
        // An answer is one, whatever it says.
        if (error instanceof EtcdError && !error.elsewhere) continue;
        cluster.broken.abort();
        cluster.broken = new AbortController();
      }
    }
  }
}
