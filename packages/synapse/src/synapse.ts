import {
  type Clock,
  type ConfigIssue,
  formatIssue,
  type HealthReport,
  type Logger,
  type Metrics,
  run,
  StatsdSender,
  type StatsdSettings,
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
import type { MassLossRules } from './catalog/massLoss.js';
import type { AgentSettings } from './config/agentFile.js';
import { type Configuration, expandCopies, type LoadOptions } from './config/load.js';
import { keepsPrevious, massLossRules } from './config/massLoss.js';
import type { ServiceDefinition } from './config/service.js';
import { LiveConfiguration } from './configuration.js';
import type { ExplainerOptions } from './explain/explainer.js';
import type { GeneratorTable } from './generators/types.js';
import { GeneratorSet } from './generatorSet.js';
import { createSynapseMetrics, type SynapseMetrics } from './metrics.js';
import { ServiceSet } from './services.js';
import { serviceStatus, summaryOf } from './serviceStatus.js';
import { StatsdEvents } from './statsdEvents.js';
import { variantsOf } from './variants.js';
import { createWatcher, type Discovery } from './watchers/index.js';
import { protectFromMassLoss } from './watchers/protect.js';
import { sharedSources } from './watchers/sharedSources.js';
import { notedLease } from './zkEvents.js';

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
  /** It runs beside another synapse (`--shadow`), which tells DogStatsD what happens: this one is silent. */
  readonly isShadow?: boolean;
}

/** So long what would take time from the first routes waits for them, in milliseconds. */
const routesFirstMs = 1_000;

/** How often Ruby's main loop looked at its watchers, in milliseconds. */
const pingEveryMs = 1_000;

/** The composition root: watchers, catalog, generators and the loops between them. */
export class Synapse {
  readonly #options: SynapseOptions;
  readonly #metrics: SynapseMetrics;
  readonly #statsd: StatsdSender;
  readonly #events: StatsdEvents;
  readonly #catalog = new Catalog();
  readonly #sessions: SessionPool;
  readonly #configuration: LiveConfiguration<Discovery>;
  readonly #services: ServiceSet<Discovery>;
  readonly #generators: GeneratorSet;
  /** Since the last ping. */
  #changed = true;

  constructor(options: SynapseOptions) {
    const { configuration, settings, generators, clock, logger, metrics } = options;
    this.#options = options;
    this.#metrics = createSynapseMetrics(metrics);
    this.#metrics.build(options.version);
    this.#statsd = new StatsdSender({ clock, logger });
    this.#events = new StatsdEvents(this.#statsd);
    this.#sessions = new SessionPool(options.openSession);
    this.#generators = new GeneratorSet({
      ...{ catalog: this.#catalog, settings, clock, logger, metrics, passes: this.#metrics },
      events: this.#events,
      table: generators,
      blocks: configuration.main.generators,
    });
    const shared = sharedSources(clock, logger);
    this.#services = new ServiceSet({
      catalog: this.#catalog,
      createWatcher: (service, discovery, log, definition) =>
        createWatcher(discovery, {
          service,
          protect: (watcher) =>
            protectFromMassLoss(watcher, {
              rules: () => this.#massLossRules(definition()),
              clock,
              logger: log,
            }),
          keepsPrevious: () => keepsPrevious(definition()?.rules),
          generators: this.#generators.names,
          acquireSession: (hosts) => this.acquireSession(service, hosts),
          ...shared,
          onEvent: () => this.#generators.expect(),
          patienceMs: settings.startupDeadlineMs,
          clock,
          logger: log,
          metrics: {
            undecodable: (name) => {
              this.#metrics.undecodable(name);
              this.#events.zkParseChildFailed();
            },
          },
          events: this.#events,
        }),
      onChange: () => {
        this.#changed = true;
        this.#generators.trigger();
      },
      events: this.#events,
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
    return this.#generators.started;
  }

  /** Resolves with the first pass, or after a second without. Never rejects. */
  async routesFirst(signal: AbortSignal): Promise<void> {
    const waiting = new AbortController();
    const late = this.#options.clock.sleep(routesFirstMs, AbortSignal.any([signal, waiting.signal]));
    await Promise.race([this.started, late.catch(() => undefined)]);
    waiting.abort();
  }

  /** Runs until `signal` aborts. HAProxy is left serving. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const { main, services, unreadable } = this.#configuration.current;
    this.#configureStatsd(main.statsd);
    this.#events.started();
    const since = clock.monotonic();
    this.started.then(
      () => this.#events.watchersStarted(clock.monotonic() - since),
      () => undefined,
    );
    this.#services.apply(expandCopies(services), unreadable);
    let failure: unknown;
    try {
      await run(
        [
          (inner) => this.#services.run(inner),
          async (inner) => {
            await this.routesFirst(inner);
            await this.#configuration.run(inner);
          },
          (inner) => this.#ping(inner),
          ...this.#generators.tasks,
        ],
        signal,
      );
    } catch (error) {
      if (!signal.aborted) failure = error;
      throw error;
    } finally {
      this.#events.stopped(clock.monotonic() - since, failure);
      await this.#statsd.close();
    }
  }

  /** Reads the configuration again. */
  reload(): Promise<void> {
    return this.#configuration.reload();
  }

  /** Resolves when everything known by now is carried out by every generator. */
  async settled(signal: AbortSignal): Promise<void> {
    await this.#generators.settled(signal);
  }

  /** Whether the agent itself works: its loops move on, however they fare. */
  health(): HealthReport {
    return this.#generators.health();
  }

  /** Whether the generators are in step with what is known. */
  ready(): HealthReport {
    return this.#generators.ready();
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
      services: this.#catalog.status(now).map(serviceStatus),
      generators: this.#generators.status(),
    };
  }

  /** The instances of each service, as generators see them. */
  instances(): readonly InstanceList[] {
    return this.#catalog
      .status(this.#options.clock.monotonic())
      .map(({ name: service, ...rest }) => instanceList({ service, ...rest }));
  }

  /** It changes nothing. */
  get isShadow(): boolean {
    return this.#options.isShadow ?? false;
  }

  /** What explanations are made of. */
  get evidence(): ExplainerOptions<Discovery> {
    const { clock } = this.#options;
    return { catalog: this.#catalog, services: this.#services, generators: this.#generators.byName, clock };
  }

  /** One line for people: `3 services (1 stale), 12 instances`. */
  summary(): string {
    return summaryOf(this.#catalog.counts());
  }

  /** Brings the gauges up to date; to be called before metrics are read. */
  refreshMetrics(): void {
    this.#metrics.show(this.#catalog.status(this.#options.clock.monotonic()));
  }

  /** A session as agent.yaml wants it; shared by those who ask for the same hosts. `service` says for whom. */
  acquireSession(service: string, hosts: readonly string[]): SessionLease {
    const { sessionTimeoutMs, auth, tls } = this.#options.settings.zookeeper;
    const credentials = auth.map(({ scheme, data }) => ({ scheme, data: Buffer.from(data) }));
    const before = this.#sessions.sessions.size;
    const lease = this.#sessions.acquire({ hosts, sessionTimeoutMs, auth: credentials, ...(tls && { tls }) });
    const { clock } = this.#options;
    const isNew = this.#sessions.sessions.size > before;
    return notedLease(lease, { hosts, service }, isNew, { events: this.#events, clock });
  }

  #massLossRules(definition: ServiceDefinition<Discovery> | undefined): MassLossRules | undefined {
    return (
      definition && massLossRules(this.#options.settings.massLoss, definition.massLoss, definition.rules)
    );
  }

  /** What Ruby's main loop tells of each of its rounds. */
  async #ping(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      if (this.#statsd.isConfigured) {
        if (this.#changed) this.#events.configUpdated();
        this.#changed = false;
        for (const { name, staleMs } of this.#catalog.status(clock.monotonic()))
          this.#events.pinged(name, staleMs === 0);
      }
      await clock.sleep(pingEveryMs, signal).catch(() => undefined);
    }
  }

  #configureStatsd(settings: StatsdSettings | undefined): void {
    this.#statsd.configure(this.#options.isShadow ? undefined : settings);
  }

  #apply(next: Configuration<Discovery>): void {
    const { logger } = this.#options;
    this.#configureStatsd(next.main.statsd);
    this.#generators.configure(next.main.generators);
    const difference = this.#services.apply(expandCopies(next.services), next.unreadable);
    logger.info('configuration applied', { ...difference });
  }
}
