import { randomUUID } from 'node:crypto';
import type { Clock, Logger, Metrics } from '@smartstack/agent';
import {
  declareEtcdMetrics,
  declareZooKeeperMetrics,
  EtcdPool,
  openSession,
  SessionPool,
  SharedNodes,
} from '@smartstack/registry';
import type { ServiceDefinition } from './config/service.js';
import type { NerveMetrics } from './metrics.js';
import { sessionOptions } from './reporters/ensemble.js';
import { Folders } from './reporters/folder.js';
import { clash, kindOf, placeOf, type ReporterChoice } from './reporters/index.js';
import type { Registrant, Reporter } from './reporters/reporter.js';
import { ShadowReporter } from './reporters/shadow.js';
import { ReporterSet } from './reporterSet.js';
import type { Reporting } from './slots.js';
import type { StatsdEvents } from './statsdEvents.js';

/** For one question to a registry, in milliseconds. */
const readingMs = 5_000;

export interface RegistriesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: NerveMetrics;
  /** Where the registries' own metrics are declared. */
  readonly declare: Metrics;
  readonly events: StatsdEvents;
  /** Nothing is registered: what another nerve registers is compared. */
  readonly shadow?: boolean;
}

/** The registries that the services report to: what their reporters share, and how they are made. */
export class Registries implements Reporting {
  readonly sessions: SessionPool;
  readonly etcd: EtcdPool;
  readonly #folders: Folders;
  readonly #options: RegistriesOptions;
  readonly #sets = new Map<string, ReporterSet>();
  /** Whom a service's next reporter is made for. */
  readonly #registrants = new Map<string, Registrant>();

  constructor(options: RegistriesOptions) {
    this.#options = options;
    const { clock, logger, declare, events } = options;
    const zookeeper = {
      ...declareZooKeeperMetrics(declare),
      wrote: (
        op: 'create' | 'delete' | 'save',
        elapsedMs: number,
        at: { readonly ensemble: string; readonly parent: string },
      ): void => {
        const [hosts = '', ...chroot] = at.ensemble.split('/');
        const path = chroot.length === 0 ? at.parent : at.parent.slice(1 + chroot.join('/').length);
        events.zkWrote(op, elapsedMs, hosts.split(','), path);
      },
    };
    const shared = new SharedNodes();
    this.sessions = new SessionPool((session) =>
      openSession({
        ...session,
        clock,
        logger: logger.child({ component: 'zookeeper' }),
        metrics: zookeeper,
        shared,
      }),
    );
    const etcdLogger = logger.child({ component: 'etcd' });
    const metrics = declareEtcdMetrics(declare);
    this.etcd = new EtcdPool({ clock, logger: etcdLogger, metrics, random: Math.random });
    this.#folders = new Folders({ clock, logger, owner: randomUUID() });
  }

  create(definition: ServiceDefinition): Reporter {
    const { clock, metrics, events } = this.#options;
    const { name: service, reporters } = definition;
    const registrant = (): Registrant => this.#registrants.get(service) ?? registrantOf(definition);
    const set: ReporterSet = new ReporterSet(reporters, {
      service,
      clock,
      registered: metrics.reporterRegistered,
      factory: { place: placeOf, clash, create: (choice) => this.#create(choice, registrant()) },
      onReported: (success) => events.reported(service, success),
      onDisposed: () => {
        if (this.#sets.get(service) !== set) return;
        this.#sets.delete(service);
        this.#registrants.delete(service);
      },
    });
    this.#sets.set(service, set);
    return set;
  }

  update(definition: ServiceDefinition): void {
    this.#registrants.set(definition.name, registrantOf(definition));
  }

  /** Whether a service's registries can be reached. */
  reached(service: string): boolean {
    return this.#sets.get(service)?.unreachable === false;
  }

  #create(choice: ReporterChoice, registrant: Registrant) {
    const { clock, logger, events } = this.#options;
    const { service } = registrant;
    const context = {
      clock,
      logger: logger.child({ service, reporter: choice.name }),
      random: Math.random,
      sessions: this.sessions,
      etcd: this.etcd,
      folders: this.#folders,
      statsd: events,
    };
    const kind = kindOf(choice);
    if (this.#options.shadow !== true) return kind.create(choice.settings, context, registrant);
    return this.#shadow(choice, registrant, context.logger);
  }

  /** In the place of a reporter: it only reads. */
  #shadow(choice: ReporterChoice, registrant: Registrant, logger: Logger): Reporter {
    const { clock, metrics } = this.#options;
    const { sessions } = this;
    const { list } = kindOf(choice);
    const { service } = registrant;
    // One session for all readings, and not one for each.
    const lease = choice.type === 'zookeeper' ? sessions.acquire(sessionOptions(choice.settings)) : undefined;
    return new ShadowReporter(choice.settings, {
      ...{ clock, registrant, logger, name: choice.name, differs: metrics.shadowDiffers },
      list:
        list &&
        ((settings, signal) =>
          list(settings, { clock, sessions, service, signal, timeoutMs: readingMs, only: registrant })),
      release: async () => await lease?.release(),
    });
  }
}

function registrantOf({ name: service, instance }: ServiceDefinition): Registrant {
  const { host, port, name: instanceId = '' } = instance;
  return { service, instanceId, host, port };
}
