import { type Clock, systemClock } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';

import type { Snapshot, Watcher } from '../catalog/types.js';
import { createResolver, type ResolverOptions } from '../resolvers/index.js';
import { StatsdEvents } from '../statsdEvents.js';
import { createMulti } from '../watchers/multi/run.js';
import { protectFromMassLoss } from '../watchers/protect.js';
import type { WatcherContext } from '../watchers/types.js';

export interface MultiBedOptions {
  /** Real time, in which files are followed. */
  readonly real?: boolean;
  /** Ruby's use_previous_backends. */
  readonly keeps?: boolean;
  /** Whether losses of all at once are held, as in an agent. */
  readonly holds?: boolean;
}

/** `host host …` as a snapshot. */
export function said(status: 'live' | 'stale', hosts: string): Snapshot {
  const names = hosts === '' ? [] : hosts.split(' ');
  return { status, instances: names.map((host) => ({ host, port: 1 })) };
}

/** A service of several watchers that the test plays. */
export class MultiBed {
  readonly clock = new FakeClock();
  readonly logger = new RecordingLogger();
  readonly snapshots: Snapshot[] = [];
  /** What DogStatsD would be told of, with its tags. */
  readonly sent: string[] = [];
  readonly watcher: Watcher;
  readonly #tell = new Map<string, (snapshot: Snapshot) => void>();
  readonly #failing = new Map<string, (error: Error) => void>();
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  /** The one that is called `filtered` has a filter on its label `az`: `a`. */
  constructor(
    resolver: ResolverOptions,
    names: readonly string[],
    { real = false, keeps = false, holds = false }: MultiBedOptions = {},
  ) {
    const { logger } = this;
    const clock: Clock = real ? systemClock : this.clock;
    const rules = { share: 0.5, minimum: 3, windowMs: 10_000, holdMs: 60_000, keepsPrevious: keeps };
    const protect = (one: Watcher): Watcher =>
      holds ? protectFromMassLoss(one, { rules: () => rules, clock, logger }) : one;
    const filter = { label: 'az', value: 'a', condition: 'equals' } as const;
    const watchers = new Map(
      names.map((name) => {
        const create = (): Watcher => protect(this.#played(name));
        return [name, { create, labelFilters: name === 'filtered' ? [filter] : [] }];
      }),
    );
    const increment = (name: string, tags: readonly string[] = []): void =>
      void this.sent.push([name, ...tags].join(' '));
    const events = new StatsdEvents({ increment, timing: () => undefined, gauge: () => undefined });
    const patienceMs = real ? 200 : 5_000;
    const context = { patienceMs, clock, logger, protect, keepsPrevious: () => keeps, events };
    this.watcher = createMulti(
      { watchers, resolver: createResolver(resolver), host: 'me' },
      context as unknown as WatcherContext,
    );
    this.#done = this.watcher.run((snapshot) => void this.snapshots.push(snapshot), this.#stop.signal);
  }

  #played(name: string): Watcher {
    return {
      run: (emit, signal) =>
        new Promise<void>((resolve, reject) => {
          this.#tell.set(name, emit);
          this.#failing.set(name, reject);
          signal.addEventListener('abort', () => resolve());
        }),
      entries: () => [{ place: `/${name}/1` }],
    };
  }

  /** Lets a watcher say that its source has these hosts. */
  live(name: string, hosts: string): void {
    this.tell(name, said('live', hosts));
  }

  tell(name: string, snapshot: Snapshot): void {
    this.#tell.get(name)?.(snapshot);
  }

  fail(name: string, error: Error): void {
    this.#failing.get(name)?.(error);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  /** `status host host*`: those with an asterisk are held. */
  get last(): string {
    const snapshot = this.snapshots.at(-1);
    if (snapshot === undefined || snapshot.status === 'pending') return 'pending';
    const hosts = snapshot.instances.map(({ host, held }) => `${host}${held ? '*' : ''}`);
    return `${snapshot.status} ${hosts.join(' ')}`;
  }

  /** `name status instances used` of each watcher. */
  get parts(): readonly string[] {
    return (this.snapshots.at(-1)?.parts ?? []).map(
      ({ name, status, instances, used }) => `${name} ${status} ${instances}${used ? ' used' : ''}`,
    );
  }
}
