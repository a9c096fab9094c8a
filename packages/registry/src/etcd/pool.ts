import { isDeepStrictEqual } from 'node:util';
import type { Clock, Logger } from '@smartstack/agent';
import { EtcdClient } from './client.js';
import { EtcdLease } from './lease.js';
import type { EtcdMetrics } from './metrics.js';
import type { EtcdSettings, LeaseState } from './types.js';

export interface EtcdPoolOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: EtcdMetrics;
  readonly random: () => number;
}

/** One user's share of a lease. */
export interface EtcdShare {
  readonly lease: EtcdLease;
  /** Gives the share back; the last one ends the lease. Twice does nothing. */
  release(deadlineMs?: number): Promise<void>;
}

/** Everything that makes two users share a lease. */
export interface LeaseSettings extends EtcdSettings {
  readonly ttlSeconds: number;
}

interface Entry {
  readonly settings: LeaseSettings;
  readonly cluster: string;
  readonly lease: EtcdLease;
  users: number;
}

/** One lease for all registrations of an agent in the same cluster, as the same user and with the same time to live. */
export class EtcdPool {
  readonly #options: EtcdPoolOptions;
  #entries: readonly Entry[] = [];

  constructor(options: EtcdPoolOptions) {
    this.#options = options;
  }

  /** The leases in use, for status pages. */
  get leases(): readonly { readonly cluster: string; readonly state: LeaseState }[] {
    return this.#entries.map(({ cluster, lease }) => ({ cluster, state: lease.state }));
  }

  acquire(settings: LeaseSettings): EtcdShare {
    const entry = this.#entryFor(settings);
    entry.users += 1;
    let released = false;
    return {
      lease: entry.lease,
      release: async (deadlineMs = 5_000) => {
        if (released) return;
        released = true;
        entry.users -= 1;
        if (entry.users > 0) return;
        this.#entries = this.#entries.filter((one) => one !== entry);
        await entry.lease.close(deadlineMs);
      },
    };
  }

  #entryFor(settings: LeaseSettings): Entry {
    const known = this.#entries.find((one) => isDeepStrictEqual(one.settings, settings));
    if (known) return known;
    const cluster = settings.endpoints.join(',');
    const timeoutMs = Math.min(2_000, Math.max(500, (settings.ttlSeconds * 1000) / 3));
    const client = new EtcdClient({ ...settings, ...this.#options, timeoutMs });
    const { ttlSeconds } = settings;
    const entry = {
      settings,
      cluster,
      lease: new EtcdLease({ ...this.#options, client, ttlSeconds, cluster }),
      users: 0,
    };
    this.#entries = [...this.#entries, entry];
    return entry;
  }
}
