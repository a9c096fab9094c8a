import type { DemoConfiguration } from './configuration.ts';
import { ephemeralNodes, haproxyServers, reloads, type ServerStatistics } from './observe.ts';
import { pause } from './pause.ts';
import { changes, draw, plain, type PartView, type ServiceView, type View } from './picture.ts';
import { haproxyMaster, type DemoSystem } from './system.ts';
import type { Traffic } from './traffic.ts';

const periodMs = 500;
/** Pictures over which rates are averaged. */
const window = 4;

/** What the live picture is drawn from, and where it goes. */
export interface LiveOptions {
  readonly folder: string;
  readonly configuration: DemoConfiguration;
  readonly system: DemoSystem;
  /** By service. */
  readonly traffic: ReadonlyMap<string, Traffic>;
  readonly output: NodeJS.WriteStream;
}

/** Shows what happens until the signal aborts: a picture on a terminal, sentences elsewhere. */
export class Live {
  private readonly events: string[] = [];
  private readonly started = performance.now();
  private last: View | undefined;
  /** Answers by instance, at the last few pictures. */
  private readonly counts: ReadonlyMap<string, number>[] = [];

  constructor(private readonly options: LiveOptions) {}

  /** Adds a sentence to what happened. */
  event(text: string): void {
    const seconds = ((performance.now() - this.started) / 1000).toFixed(1).padStart(7);
    this.events.push(`${seconds} s  ${text}`);
    if (this.events.length > 200) this.events.shift();
    if (!this.options.output.isTTY) this.options.output.write(`${seconds} s  ${text}\n`);
  }

  /** Draws twice a second until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { output } = this.options;
    // The alternate screen: what the terminal showed before comes back at the end.
    if (output.isTTY) output.write('\u001b[?1049h\u001b[?25l');
    try {
      while (!signal.aborted) {
        const view = await this.observe();
        for (const sentence of changes(this.last, view)) this.event(sentence);
        if (!output.isTTY && this.last === undefined) output.write(`${plain(draw(view, 0))}\n`);
        this.last = view;
        if (output.isTTY) {
          const lines = draw({ ...view, events: this.events }, output.rows);
          output.write(`\u001b[H${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
        }
        await pause(periodMs, signal);
      }
    } finally {
      if (output.isTTY) output.write('\u001b[?25h\u001b[?1049l');
    }
  }

  private async observe(): Promise<View> {
    const { configuration, folder } = this.options;
    const [servers, parts] = await Promise.all([
      haproxyServers(configuration.statsPort).catch(() => new Map<string, Map<number, ServerStatistics>>()),
      this.parts(),
    ]);
    const services = [...configuration.frontends].map(([name, port]) =>
      this.service(name, port, servers.get(name) ?? new Map()),
    );
    const all = services.flatMap(({ instances }) => instances);
    this.counts.push(new Map(all.map(({ name, answered }) => [name, answered])));
    if (this.counts.length > window) this.counts.shift();
    return {
      seconds: (performance.now() - this.started) / 1000,
      parts,
      services,
      events: this.events,
      folder,
    };
  }

  private service(name: string, port: number, servers: ReadonlyMap<number, ServerStatistics>): ServiceView {
    const { configuration, system, traffic } = this.options;
    const tally = traffic.get(name)?.tally;
    return {
      name,
      tryIt: name === 'echo' ? `nc 127.0.0.1 ${port}` : `curl http://127.0.0.1:${port}/`,
      answered: (tally?.requests ?? 0) - (tally?.failures ?? 0),
      failed: tally?.failures ?? 0,
      instances: configuration.instances
        .filter(({ service }) => service === name)
        .map((instance) => {
          const answered = tally?.byInstance.get(instance.name) ?? 0;
          const since = answered - (this.counts[0]?.get(instance.name) ?? answered);
          return {
            name: instance.name,
            port: instance.port,
            pid: system.instances.get(instance.name)?.pid,
            server: servers.get(instance.port)?.status,
            answered,
            perSecond: Math.round((since * 1000) / (periodMs * Math.max(1, this.counts.length))),
          };
        }),
    };
  }

  private async parts(): Promise<PartView[]> {
    const { configuration, folder, system } = this.options;
    const { zookeeperPort, statsPort, nerveAdminPort, synapseAdminPort } = configuration;
    const [nodes, reloadCount] = await Promise.all([
      ephemeralNodes(zookeeperPort).catch(() => undefined),
      reloads(synapseAdminPort).catch(() => undefined),
    ]);
    const known = (value: number | undefined): string => (value === undefined ? '?' : String(value));
    return [
      {
        name: 'ZooKeeper',
        pid: system.zookeeperPid,
        detail: `127.0.0.1:${zookeeperPort}, ${known(nodes)} registrations`,
      },
      {
        name: 'nerve',
        pid: system.agents.get('nerve')?.pid,
        detail: `http://127.0.0.1:${nerveAdminPort}/status`,
      },
      {
        name: 'synapse',
        pid: system.agents.get('synapse')?.pid,
        detail: `http://127.0.0.1:${synapseAdminPort}/ (its dashboard)`,
      },
      {
        name: 'HAProxy',
        pid: haproxyMaster(folder),
        detail: `http://127.0.0.1:${statsPort}/ (its stats page), reloads: ${known(reloadCount)}`,
      },
    ];
  }
}
