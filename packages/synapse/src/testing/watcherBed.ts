import { type Clock, systemClock } from '@smartstack/agent';
import { RecordingLogger } from '@smartstack/agent/testing';
import { EtcdWatchPool, type Instance } from '@smartstack/registry';

import type { Snapshot, Watcher } from '../catalog/types.js';
import { StatsdEvents } from '../statsdEvents.js';
import { FolderPool } from '../watchers/files/folderPool.js';
import type { WatcherContext } from '../watchers/types.js';
import { FakeSession } from './fakeSession.js';

/** What a watcher of a test lives in, and what it said. */
export class WatcherBed {
  readonly logger = new RecordingLogger();
  readonly session = new FakeSession();
  readonly snapshots: Snapshot[] = [];
  /** Registrations that were counted as bad. */
  undecodable = 0;
  readonly context: WatcherContext;
  /** What DogStatsD would be told: names with their tags, without values. */
  readonly sent: string[] = [];
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(clock: Clock = systemClock, service = 'web') {
    const increment = (name: string, tags: readonly string[] = []): void =>
      void this.sent.push([name, ...tags].join(' '));
    const measured = (name: string, _value: number, tags?: readonly string[]): void => increment(name, tags);
    this.context = {
      service,
      generators: ['haproxy'],
      protect: (watcher) => watcher,
      acquireSession: () => this.session.acquire(),
      folders: new FolderPool(clock, this.logger),
      etcd: new EtcdWatchPool({ clock, logger: this.logger, random: () => 0 }),
      clock,
      logger: this.logger,
      metrics: { undecodable: () => (this.undecodable += 1) },
      events: new StatsdEvents({ increment, timing: measured, gauge: measured }),
    };
  }

  run(watcher: Watcher): void {
    this.#running = watcher.run((snapshot) => this.snapshots.push(snapshot), this.#stop.signal);
  }

  /** Stops the watcher; rejects with what it threw. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  get last(): Snapshot | undefined {
    return this.snapshots.at(-1);
  }

  get status(): Snapshot['status'] | undefined {
    return this.last?.status;
  }

  get instances(): readonly Instance[] | undefined {
    return this.last === undefined || this.last.status === 'pending' ? undefined : this.last.instances;
  }

  /** `host:port` of each instance of the last snapshot. */
  get addresses(): readonly string[] | undefined {
    return this.instances?.map(({ host, port }) => `${host}:${port}`);
  }

  /** `path: reason` of each problem of the last snapshot. */
  get problems(): readonly string[] {
    const problems = this.last === undefined || this.last.status === 'pending' ? [] : this.last.problems;
    return (problems ?? []).map(({ path, reason }) => `${path}: ${reason}`);
  }
}
