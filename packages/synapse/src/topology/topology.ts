import {
  type Clock,
  type Logger,
  type Metrics,
  run,
  type Task,
  unlessAborted,
  untilAborted,
} from '@smartstack/agent';
import type { SessionLease } from '@smartstack/registry';
import type { Generator } from '../catalog/types.js';
import type { MeshSettings, TopologySettings } from '../config/topology.js';
import { countsOf } from './counts.js';
import { fleetAnswer } from './fleetAnswer.js';
import { HostTopology } from './hostTopology.js';
import { type HostNode, toldEdges } from './mesh/node.js';
import { Publisher } from './mesh/publisher.js';
import { FleetReader } from './mesh/reader.js';
import type { HostNumbers } from './numbers/answer.js';
import type { Numbers } from './numbers/numbers.js';
import { NerveServices, usualNerve } from './nerveServices.js';
import type { TopologyAnswer, TopologyHost } from './shapes.js';
import { readSockets } from './socketReader.js';
import { edgesOf, type Told } from './told.js';
import { Users } from './users.js';

/** What the topology stands on. */
export interface TopologyOptions {
  readonly settings: TopologySettings;
  readonly generators: () => Iterable<Pick<Generator, 'entrances' | 'clients' | 'traffic'>>;
  /** Who calls a service by the configuration. */
  readonly declared: () => ReadonlyMap<string, string>;
  /** A session with the ZooKeeper where hosts tell each other. */
  readonly acquireSession: (hosts: readonly string[]) => SessionLease;
  readonly version: string;
  readonly zone: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** An answer for the fleet is good for all who ask in this time, in milliseconds. */
const sharedMs = 1_000;
const minute = { fromMs: 60_000, toMs: 0, withPoints: false };

/** Who calls whom: on this host and, where its operator wants that, in its fleet. */
export class Topology {
  readonly #options: TopologyOptions;
  readonly #host: HostTopology;
  #publisher: Publisher | undefined;
  #reader: FleetReader | undefined;
  #numbers: Numbers | undefined;
  #shared: { readonly answer: Promise<TopologyAnswer>; readonly at: number } | undefined;
  readonly #stop = new AbortController();

  constructor(options: TopologyOptions) {
    const { settings, generators, declared, clock, logger } = options;
    this.#options = options;
    const nerve = new NerveServices(settings.nerve ?? usualNerve, clock);
    this.#host = new HostTopology({
      ...{ instanceId: settings.instanceId, everyMs: settings.everyMs, declared, clock, logger },
      entrances: () => [...generators()].flatMap((generator) => generator.entrances?.() ?? []),
      clients: async (active, signal) => {
        const all = [...generators()].flatMap((generator) => generator.clients?.(active, signal) ?? []);
        const told = await Promise.all(all);
        return {
          shared: told.flatMap(({ shared }) => shared),
          own: told.flatMap(({ own }) => own),
          isCut: told.some(({ isCut }) => isCut),
        };
      },
      traffic: () => this.#traffic,
      readSockets,
      users: new Users({ clock }),
      hosted: () => nerve.current(),
    });
  }

  readonly run: Task = async (signal) => {
    try {
      await run([(inner) => this.#host.run(inner), (inner) => this.#runMesh(inner)], signal);
    } finally {
      this.#stop.abort();
    }
  };

  /** Tells the others; where nobody wants that, nothing is opened, written or read. */
  async #runMesh(signal: AbortSignal): Promise<void> {
    const { settings, acquireSession, clock, logger } = this.#options;
    const { mesh } = settings;
    if (mesh === undefined) {
      await untilAborted(signal);
      return;
    }
    const lease = acquireSession(mesh.hosts);
    try {
      const { session } = lease;
      this.#reader = new FleetReader({
        session: () => session,
        path: mesh.path,
        everyMs: settings.everyMs,
        clock,
      });
      this.#publisher = new Publisher({ session, settings: mesh, node: () => this.#node(), clock, logger });
      const publisher = this.#publisher;
      const numbers = await this.#numbersOf(mesh);
      this.#numbers = numbers;
      const publish: Task = async (inner) => {
        // Its first node has where it can be asked.
        await unlessAborted(numbers?.settled ?? Promise.resolve(), inner);
        await publisher.run(inner);
      };
      await run([publish, (inner) => numbers?.run(inner) ?? untilAborted(inner)], signal);
    } finally {
      await lease.release();
    }
  }

  /** Only who wants to know numbers of others, or to tell them, loads what it takes. */
  async #numbersOf({ numbers: settings }: MeshSettings): Promise<Numbers | undefined> {
    if (settings === undefined) return undefined;
    const { clock, logger, metrics } = this.#options;
    const [{ Numbers: Made }, { createNumbersMetrics }] = await Promise.all([
      import('./numbers/numbers.js'),
      import('./numbers/metrics.js'),
    ]);
    return new Made({
      ...{ settings, clock, logger, metrics: createNumbersMetrics(metrics) },
      numbers: () => this.#told(),
    });
  }

  #node(): HostNode {
    const { settings, version, zone } = this.#options;
    return {
      ...{ instanceId: settings.instanceId, zone, agent: version, api: this.#numbers?.target },
      services: this.#host.hosted.map(({ name }) => name),
      ...{ edges: toldEdges(this.#host.edges), isCut: false },
    };
  }

  /** What others are told of the traffic here. */
  #told(): HostNumbers {
    const { instanceId, edges, counts = new Map() } = this.#self;
    return { instanceId, edges, services: counts, isCut: this.#host.dropped > 0 };
  }

  /** What is known of the fleet, where its hosts tell; else of this host. Made once a second at most: many may look. */
  fleet(): Promise<TopologyAnswer> {
    const now = this.#options.clock.monotonic();
    if (this.#shared === undefined || now - this.#shared.at >= sharedMs)
      this.#shared = { answer: this.#askFleet(), at: now };
    return this.#shared.answer;
  }

  async #askFleet(): Promise<TopologyAnswer> {
    const { signal } = this.#stop;
    if (this.#reader === undefined) {
      const own = this.host();
      return { ...own, notes: [...own.notes, 'only of this host: topology.zk_hosts is not set'] };
    }
    const fleet = await this.#reader.current(signal);
    const others = fleet.hosts.filter(({ instanceId }) => instanceId !== this.#options.settings.instanceId);
    const reports = await this.#numbers?.of(others, signal);
    const { clock } = this.#options;
    const offset = clock.now() - clock.monotonic();
    const problems = this.#numbers?.problems ?? [];
    const answer = fleetAnswer(this.host(), this.#self, { fleet, reports, problems, offset });
    const problem = this.#publisher?.problem;
    if (problem === undefined) return answer;
    return { ...answer, notes: [...answer.notes, `the others are not told of this host: ${problem}`] };
  }

  /** What is known of this host, by its last look. */
  host(): TopologyAnswer {
    const { settings, clock } = this.#options;
    const { problem, dropped } = this.#host;
    return {
      ...{
        scope: 'host',
        now: clock.now(),
        hasFleet: settings.mesh !== undefined,
        hosts: [this.#thisHost()],
      },
      edges: edgesOf([this.#self]),
      notes: [
        ...(problem === undefined ? [] : [`callers cannot all be seen: ${problem}`]),
        ...(dropped === 0 ? [] : [`there are more edges than are kept: ${dropped} were dropped`]),
      ],
    };
  }

  get #self(): Told {
    return {
      instanceId: this.#options.settings.instanceId,
      edges: this.#host.edges.map(({ caller, service, firstSeen, lastSeen }) => ({
        ...{ source: caller.name, destination: service, identity: caller.identity, firstSeen, lastSeen },
      })),
      counts: countsOf(this.#traffic?.services(minute)),
    };
  }

  #thisHost(): TopologyHost {
    const { settings, version, zone } = this.#options;
    return {
      ...{ instanceId: settings.instanceId, isThis: true, agent: version },
      ...(zone !== undefined && { zone }),
      services: this.#host.hosted.map(({ name }) => name),
    };
  }

  get #traffic() {
    return [...this.#options.generators()].find(({ traffic }) => traffic !== undefined)?.traffic;
  }
}
