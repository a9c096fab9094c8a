import { isDeepStrictEqual } from 'node:util';

import {
  type Clock,
  type ConfigIssue,
  formatIssue,
  type HealthReport,
  type Logger,
  type Metrics,
  run,
} from '@smartstack/agent';
import type { Plugins } from '@smartstack/agent/plugins';
import {
  type InstanceList,
  instanceList,
  type SessionLease,
  type SessionOptions,
  SessionPool,
  type ZkSession,
} from '@smartstack/registry';

import { Catalog } from './catalog/catalog.js';
import type { Generator } from './catalog/types.js';
import type { AgentSettings } from './config/agentFile.js';
import { type Configuration, expandCopies, type LoadOptions } from './config/load.js';
import { LiveConfiguration } from './configuration.js';
import type { GeneratorTable } from './generators/types.js';
import { createSynapseMetrics, type SynapseMetrics } from './metrics.js';
import { ReconcileLoop } from './reconcile.js';
import { ServiceSet } from './services.js';
import { variantsOf } from './variants.js';
import { createWatcher, type Discovery } from './watchers/index.js';

/** What synapse stands on; all of it replaceable in tests. */
export interface SynapseOptions {
  readonly source: Pick<LoadOptions<Discovery>, 'file' | 'env'>;
  readonly configuration: Configuration<Discovery>;
  readonly issues: readonly ConfigIssue[];
  readonly settings: AgentSettings;
  readonly generators: GeneratorTable;
  /** Loads modules that a configuration names. */
  readonly plugins?: Plugins;
  readonly openSession: (options: SessionOptions) => ZkSession;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly version: string;
}

/** Bounds of the retries of a generator, and when a pass counts as stuck, in milliseconds. */
const timing = { retryMinMs: 100, retryMaxMs: 15_000, stuckMs: 120_000 };

/** So long what would take time from the first routes waits for them, in milliseconds. */
const routesFirstMs = 1_000;

/** A source may be full of them. */
const shownProblems = 50;

/** The composition root: watchers, catalog, generators and the loops between them. */
export class Synapse {
  readonly #options: SynapseOptions;
  readonly #metrics: SynapseMetrics;
  readonly #catalog = new Catalog();
  readonly #sessions: SessionPool;
  readonly #configuration: LiveConfiguration<Discovery>;
  readonly #services: ServiceSet<Discovery>;
  readonly #generators: ReadonlyMap<string, Generator>;
  readonly #loops: readonly ReconcileLoop[];
  readonly #started: Promise<void>;
  #blocks: ReadonlyMap<string, unknown>;

  constructor(options: SynapseOptions) {
    const { configuration, settings, generators, clock, logger, metrics } = options;
    this.#options = options;
    this.#metrics = createSynapseMetrics(metrics);
    this.#metrics.build(options.version);
    this.#sessions = new SessionPool(options.openSession);
    this.#blocks = configuration.main.generators;
    this.#generators = new Map(
      [...this.#blocks].flatMap(([name, block]): [string, Generator][] => {
        const context = { clock, logger: logger.child({ component: name }), metrics };
        const generator = generators.get(name)?.create(block, context);
        return generator === undefined ? [] : [[name, generator]];
      }),
    );
    const firstPasses = [...this.#generators.values()].map((generator) => this.#createLoop(generator));
    this.#loops = firstPasses.map(({ loop }) => loop);
    this.#started = Promise.all(firstPasses.map(({ passed }) => passed)).then(() => undefined);
    this.#services = new ServiceSet({
      catalog: this.#catalog,
      createWatcher: (service, discovery, log) =>
        createWatcher(discovery, {
          service,
          generators: [...this.#generators.keys()],
          acquireSession: (hosts) => this.#acquireSession(hosts),
          onEvent: () => {
            for (const generator of this.#generators.values()) generator.expect?.();
          },
          patienceMs: settings.startupDeadlineMs,
          clock,
          logger: log,
          metrics: this.#metrics,
        }),
      onChange: () => this.#trigger(),
      patienceMs: settings.startupDeadlineMs,
      clock,
      logger,
    });
    this.#configuration = new LiveConfiguration({
      source: { ...options.source, variants: variantsOf(generators, options.plugins) },
      initial: configuration,
      issues: options.issues,
      onConfiguration: (next) => this.#apply(next),
      clock,
      logger: logger.child({ component: 'configuration' }),
      metrics: this.#metrics,
    });
  }

  /** Resolves when each generator made its first pass, whether it succeeded or not. */
  get started(): Promise<void> {
    return this.#started;
  }

  /** Resolves with the first pass, or after a second without. Never rejects. */
  async routesFirst(signal: AbortSignal): Promise<void> {
    const waiting = new AbortController();
    const late = this.#options.clock.sleep(routesFirstMs, AbortSignal.any([signal, waiting.signal]));
    await Promise.race([this.#started, late.catch(() => undefined)]);
    waiting.abort();
  }

  /** Runs until `signal` aborts. HAProxy is left serving. */
  async run(signal: AbortSignal): Promise<void> {
    const { services, unreadable } = this.#configuration.current;
    this.#services.apply(expandCopies(services), unreadable);
    await run(
      [
        (inner) => this.#services.run(inner),
        async (inner) => {
          await this.routesFirst(inner);
          await this.#configuration.run(inner);
        },
        ...this.#loops.map((loop) => (inner: AbortSignal) => loop.run(inner)),
        ...[...this.#generators.values()].map(
          (generator) => (inner: AbortSignal) => generator.run(() => this.#trigger(), inner),
        ),
      ],
      signal,
    );
  }

  /** Reads the configuration again. */
  reload(): Promise<void> {
    return this.#configuration.reload();
  }

  /** Resolves when everything known by now is carried out by every generator. */
  async settled(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.settled(signal)));
  }

  /** Whether the agent itself works: its loops move on, however they fare. */
  health(): HealthReport {
    const stuck = this.#loops.filter((loop) => !loop.progresses()).map(({ status }) => status.generator);
    return { ok: stuck.length === 0, stuck };
  }

  /** Whether the generators are in step with what is known. */
  ready(): HealthReport {
    const behind = this.#loops
      .map(({ status }) => status)
      .filter(({ outcome, lastSuccessAt }) => lastSuccessAt === undefined || outcome === 'failed')
      .map(({ generator, error, waitingFor }) => ({ generator, error, waitingFor }));
    return { ok: behind.length === 0, behind };
  }

  /** What `/status` shows. */
  status(): unknown {
    const { clock, version, source } = this.#options;
    const now = clock.monotonic();
    return {
      version,
      configuration: { file: source.file, issues: this.#configuration.issues.map(formatIssue) },
      zookeeper: [...this.#sessions.sessions].map(([key, { state }]) => ({
        ensemble: key.split('\n')[0],
        ...state,
      })),
      services: this.#catalog
        .status(now)
        .map(({ name, source, staleMs, noLeader, discovered, instances, problems, parts }) => ({
          name,
          source,
          ...(parts.length > 0 && { watchers: parts }),
          staleMs,
          noLeader,
          discovered,
          instances,
          problems: problems.slice(0, shownProblems),
          problemCount: problems.length,
        })),
      generators: this.#loops.map(({ status }) => ({
        ...status,
        details: this.#generators.get(status.generator)?.status(),
      })),
    };
  }

  /** The instances of each service, as generators see them. */
  instances(): readonly InstanceList[] {
    return this.#catalog
      .status(this.#options.clock.monotonic())
      .map(({ name, source, instances, problems }) =>
        instanceList({ service: name, source, instances, problems }),
      );
  }

  /** One line for people: `3 services (1 stale), 12 instances`. */
  summary(): string {
    const services = this.#catalog.status(this.#options.clock.monotonic());
    const instances = services.reduce((sum, service) => sum + service.instances.length, 0);
    const lost = services.filter(({ source }) => source === 'stale' || source === 'pending').length;
    const note = lost > 0 ? ` (${lost} without a live source)` : '';
    return `${counted(services.length, 'service')}${note}, ${counted(instances, 'instance')}`;
  }

  /** Brings the gauges up to date; to be called before metrics are read. */
  refreshMetrics(): void {
    this.#metrics.show(this.#catalog.status(this.#options.clock.monotonic()));
  }

  #createLoop(generator: Generator): { readonly loop: ReconcileLoop; readonly passed: Promise<void> } {
    const { settings, clock, logger } = this.#options;
    let onPassed = (): void => undefined;
    const passed = new Promise<void>((resolve) => (onPassed = resolve));
    const loop = new ReconcileLoop({
      generator,
      read: () => this.#catalog.read(clock.monotonic()),
      isWaiting: () => this.#catalog.isWaiting(clock.monotonic()),
      onActed: (view) => this.#catalog.introduce(view),
      timing: {
        ...timing,
        holdoffMs: settings.holdoffMs,
        holdoffMaxMs: settings.holdoffMaxMs,
        resyncMs: settings.resyncMs,
      },
      clock,
      logger: logger.child({ component: 'reconcile', generator: generator.name }),
      metrics: {
        passed: (...pass) => {
          this.#metrics.passed(...pass);
          onPassed();
        },
      },
    });
    return { loop, passed };
  }

  #acquireSession(hosts: readonly string[]): SessionLease {
    const { sessionTimeoutMs, auth, tls } = this.#options.settings.zookeeper;
    const credentials = auth.map(({ scheme, data }) => ({ scheme, data: Buffer.from(data) }));
    return this.#sessions.acquire({ hosts, sessionTimeoutMs, auth: credentials, ...(tls && { tls }) });
  }

  #trigger(): void {
    for (const loop of this.#loops) loop.trigger();
  }

  #apply(next: Configuration<Discovery>): void {
    const { logger } = this.#options;
    for (const [name, block] of next.main.generators) {
      const generator = this.#generators.get(name);
      if (generator === undefined)
        logger.warn('a new generator needs a restart of synapse', { generator: name });
      else if (!isDeepStrictEqual(this.#blocks.get(name), block)) generator.configure(block);
    }
    for (const name of this.#generators.keys())
      if (!next.main.generators.has(name))
        logger.warn('a generator that is gone needs a restart of synapse', { generator: name });
    this.#blocks = next.main.generators;
    const difference = this.#services.apply(expandCopies(next.services), next.unreadable);
    logger.info('configuration applied', { ...difference });
  }
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
