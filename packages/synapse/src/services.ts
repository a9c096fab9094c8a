import { isDeepStrictEqual } from 'node:util';

import type { Clock, Logger } from '@smartstack/agent';

import type { Catalog } from './catalog/catalog.js';
import type { GeneratorBlocks, Snapshot, Watcher } from './catalog/types.js';
import type { DiscoveryOptions, ServiceDefinition } from './config/service.js';
import { supervise } from './watchers/supervise.js';

export interface ServiceSetOptions<D extends DiscoveryOptions> {
  readonly catalog: Catalog;
  readonly createWatcher: (service: string, discovery: D, logger: Logger) => Watcher;
  /** The catalog changed. */
  readonly onChange: () => void;
  /** How long a new service is waited for, in milliseconds. */
  readonly patienceMs: number;
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
}

/** The watchers of all services. A new configuration touches only the watchers whose discovery it changes. */
export class ServiceSet<D extends DiscoveryOptions> {
  readonly #options: ServiceSetOptions<D>;
  readonly #running = new Map<string, Running<D>>();
  readonly #ending = new Set<Promise<void>>();
  #definitions: ReadonlyMap<string, ServiceDefinition<D>> = new Map();

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

  #start(name: string, discovery: D): void {
    const logger = this.#options.logger.child({ component: 'watcher', service: name });
    const running: Running<D> = { discovery, stop: new AbortController(), generatorConfig: undefined };
    this.#running.set(name, running);
    const { createWatcher, clock } = this.#options;
    const supervised = {
      create: () => createWatcher(name, discovery, logger),
      emit: (snapshot: Snapshot) => this.#take(name, running, snapshot, logger),
      clock,
      logger,
    };
    const done = supervise(supervised, running.stop.signal).finally(() => this.#ending.delete(done));
    this.#ending.add(done);
  }

  #take(name: string, running: Running<D>, snapshot: Snapshot, logger: Logger): void {
    // What a replaced watcher still says counts for nothing.
    if (this.#running.get(name) !== running) return;
    const { catalog, clock, onChange } = this.#options;
    if (snapshot.status !== 'pending')
      this.#noteGeneratorConfig(name, running, snapshot.generatorConfig, logger);
    if (catalog.update(name, snapshot, clock.monotonic())) onChange();
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
