import { isDeepStrictEqual } from 'node:util';

import type { Clock, Logger } from '@smartstack/agent';

import { Arrivals } from './catalog/arrivals.js';
import type { Catalog } from './catalog/catalog.js';
import type { GeneratorBlocks, Snapshot, SourceEntry, Watcher } from './catalog/types.js';
import type { DiscoveryOptions, ServiceDefinition } from './config/service.js';
import type { StatsdEvents } from './statsdEvents.js';
import { supervise } from './watchers/supervise.js';

export interface ServiceSetOptions<D extends DiscoveryOptions> {
  readonly catalog: Catalog;
  /** `definition` is that of now, whenever it is called. */
  readonly createWatcher: (
    service: string,
    discovery: D,
    logger: Logger,
    definition: () => ServiceDefinition<D> | undefined,
  ) => Watcher;
  /** The catalog changed. */
  readonly onChange: () => void;
  /** How long a new service is waited for, in milliseconds. */
  readonly patienceMs: number;
  /** Hears which watchers start, fail and stop. */
  readonly events?: Pick<StatsdEvents, 'watcherStarted' | 'watcherFailed' | 'watcherStopped'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Which services a new configuration touched. */
export interface ServiceDifference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Those with a new watcher. */
  readonly rewatched: readonly string[];
}

interface Running<D> {
  readonly discovery: D;
  readonly stop: AbortController;
  generatorConfig: GeneratorBlocks | undefined;
  watcher: Watcher | undefined;
}

/** What is known of a service's source beside its instances. */
export interface SourceTrace<D extends DiscoveryOptions> {
  readonly discovery: D;
  readonly entries: readonly SourceEntry[];
  /** Where it has several watchers: from which each instance comes, by its identity. */
  readonly origins: ReadonlyMap<string, string>;
  readonly arrivals: Arrivals;
}

/** The watchers of all services. A new configuration touches only the watchers whose discovery it changes. */
export class ServiceSet<D extends DiscoveryOptions> {
  readonly #options: ServiceSetOptions<D>;
  readonly #running = new Map<string, Running<D>>();
  readonly #ending = new Set<Promise<void>>();
  #definitions: ReadonlyMap<string, ServiceDefinition<D>> = new Map();
  /** They outlive a watcher that is replaced. */
  readonly #arrivals = new Map<string, Arrivals>();

  constructor(options: ServiceSetOptions<D>) {
    this.#options = options;
  }

  /** Makes these the services, by difference. Of those that are `unreadable` nothing is known but the name. */
  apply(
    definitions: ReadonlyMap<string, ServiceDefinition<D>>,
    unreadable: readonly string[] = [],
  ): ServiceDifference {
    const { catalog, clock, patienceMs, onChange } = this.#options;
    const before = this.#definitions;
    this.#definitions = definitions;
    const now = clock.monotonic();
    catalog.define(
      new Map([...definitions].map(([name, { rules }]) => [name, rules])),
      now,
      now + patienceMs,
      unreadable,
    );
    const removed = [...this.#running.keys()].filter((name) => !definitions.has(name));
    const added = [...definitions.keys()].filter((name) => !before.has(name));
    const rewatched: string[] = [];
    for (const [name, { discovery }] of definitions) {
      const running = this.#running.get(name);
      if (running && isDeepStrictEqual(running.discovery, discovery)) continue;
      if (running) catalog.supersede(name, now);
      // The new one starts first, so that a session which both use stays open.
      this.#start(name, discovery);
      if (running === undefined) continue;
      rewatched.push(name);
      running.stop.abort();
    }
    for (const name of removed) {
      this.#running.get(name)?.stop.abort();
      this.#running.delete(name);
      this.#arrivals.delete(name);
    }
    onChange();
    return { added, removed, rewatched };
  }

  /** Waits for `signal`, then stops all watchers and waits for them. */
  async run(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    for (const { stop } of this.#running.values()) stop.abort();
    this.#running.clear();
    await Promise.all(this.#ending);
  }

  /** Who calls a service, where its definition says so. */
  get callers(): ReadonlyMap<string, string> {
    const all = [...this.#definitions.values()];
    return new Map(all.flatMap(({ name, caller }) => (caller === undefined ? [] : [[name, caller]])));
  }

  /** What the source of a service holds; undefined for one that does not exist. */
  trace(name: string): SourceTrace<D> | undefined {
    const running = this.#running.get(name);
    if (running === undefined) return undefined;
    const entries = running.watcher?.entries?.() ?? [];
    const origins = running.watcher?.origins?.() ?? new Map<string, string>();
    return {
      discovery: running.discovery,
      entries,
      origins,
      arrivals: this.#arrivals.get(name) ?? new Arrivals(),
    };
  }

  #start(name: string, discovery: D): void {
    const logger = this.#options.logger.child({ component: 'watcher', service: name });
    const running: Running<D> = {
      ...{ discovery, stop: new AbortController() },
      ...{ generatorConfig: undefined, watcher: undefined },
    };
    this.#running.set(name, running);
    if (!this.#arrivals.has(name)) this.#arrivals.set(name, new Arrivals());
    const { createWatcher, clock, events } = this.#options;
    const definition = () => this.#definitions.get(name);
    const supervised = {
      create: () => (running.watcher = createWatcher(name, discovery, logger, definition)),
      emit: (snapshot: Snapshot) => this.#take(name, running, snapshot, logger),
      onStarted: () => events?.watcherStarted(name),
      onFailed: (error: unknown) => events?.watcherFailed(name, error),
      clock,
      logger,
    };
    const done = supervise(supervised, running.stop.signal).finally(() => {
      events?.watcherStopped(name);
      this.#ending.delete(done);
    });
    this.#ending.add(done);
  }

  #take(name: string, running: Running<D>, snapshot: Snapshot, logger: Logger): void {
    // What a replaced watcher still says counts for nothing.
    if (this.#running.get(name) !== running) return;
    const { catalog, clock, onChange } = this.#options;
    if (snapshot.status !== 'pending')
      this.#noteGeneratorConfig(name, running, snapshot.generatorConfig, logger);
    if (!catalog.update(name, snapshot, clock.monotonic())) return;
    this.#arrivals.get(name)?.note(snapshot, clock.now());
    onChange();
  }

  /** Ruby drops whatever the local block says beside the source's; here it stays, which may surprise. */
  #noteGeneratorConfig(
    name: string,
    running: Running<D>,
    told: GeneratorBlocks | undefined,
    logger: Logger,
  ): void {
    if (isDeepStrictEqual(told, running.generatorConfig)) return;
    running.generatorConfig = told;
    const local = this.#definitions.get(name)?.rules.blocks ?? {};
    for (const [generator, block] of Object.entries(told ?? {})) {
      const kept = Object.keys(local[generator] ?? {}).filter((key) => !Object.hasOwn(block as object, key));
      const fields = { generator, keys: Object.keys(block as object), keptLocalKeys: kept };
      if (kept.length > 0)
        logger.warn('generator configuration of the registry is laid over the local one', fields);
      else logger.info('generator configuration taken from the registry', fields);
    }
  }
}
