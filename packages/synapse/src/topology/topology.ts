import { type Clock, type Logger, run, type Task } from '@smartstack/agent';
import type { Generator } from '../catalog/types.js';
import type { TopologySettings } from '../config/topology.js';
import { hostEdges } from './hostEdges.js';
import { HostTopology } from './hostTopology.js';
import { NerveServices, usualNerve } from './nerveServices.js';
import type { TopologyAnswer, TopologyHost } from './shapes.js';
import { readSockets } from './socketReader.js';
import { Users } from './users.js';

/** What the topology stands on. */
export interface TopologyOptions {
  readonly settings: TopologySettings;
  readonly generators: () => Iterable<Pick<Generator, 'entrances' | 'traffic'>>;
  /** Who calls a service by the configuration. */
  readonly declared: () => ReadonlyMap<string, string>;
  readonly version: string;
  readonly zone: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

const minute = { fromMs: 60_000, toMs: 0, withPoints: false };

/** Who calls whom: on this host and, where its operator wants that, in its fleet. */
export class Topology {
  readonly #options: TopologyOptions;
  readonly #host: HostTopology;

  constructor(options: TopologyOptions) {
    const { settings, generators, declared, clock, logger } = options;
    this.#options = options;
    const nerve = new NerveServices(settings.nerve ?? usualNerve, clock);
    this.#host = new HostTopology({
      ...{ instanceId: settings.instanceId, everyMs: settings.everyMs, declared, clock, logger },
      entrances: () => [...generators()].flatMap((generator) => generator.entrances?.() ?? []),
      traffic: () => this.#traffic,
      readSockets,
      users: new Users({ clock }),
      hosted: () => nerve.current(),
    });
  }

  readonly run: Task = (signal) => run([(inner) => this.#host.run(inner)], signal);

  /** What is known of this host, by its last look. */
  host(): TopologyAnswer {
    const { settings, clock } = this.#options;
    const { problem, dropped } = this.#host;
    return {
      ...{ scope: 'host', now: clock.now(), hasFleet: settings.mesh !== undefined, hosts: [this.#self()] },
      edges: hostEdges(settings.instanceId, this.#host.edges, this.#traffic?.services(minute)),
      notes: [
        ...(problem === undefined ? [] : [`callers cannot all be seen: ${problem}`]),
        ...(dropped === 0 ? [] : [`there are more edges than are kept: ${dropped} were dropped`]),
      ],
    };
  }

  #self(): TopologyHost {
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
