import { type Clock, describeError, type Logger, type Task } from '@smartstack/agent';
import type { TrafficView } from '../traffic/types.js';
import { callerOf, type CallerFacts, callerUnseen, type UserNames } from './callers.js';
import { type Connection, connectionsOf, listenersOf } from './connections.js';
import { Edges } from './edges.js';
import type { SocketReading } from './socketReader.js';
import type { Caller, ClientReading, Edge, Entrance, HostedService } from './types.js';

/** What the topology of this host is made of. */
export interface HostTopologyOptions {
  readonly instanceId: string;
  /** Between two looks, in milliseconds. */
  readonly everyMs: number;
  readonly entrances: () => readonly Entrance[];
  /** What the proxy knows of clients of services that were called lately. Never rejects. */
  readonly clients: (active: ReadonlySet<string>, signal: AbortSignal) => Promise<ClientReading>;
  readonly traffic: () => Pick<TrafficView, 'services'> | undefined;
  /** Who calls a service by the configuration. */
  readonly declared: () => ReadonlyMap<string, string>;
  readonly readSockets: (ports: ReadonlySet<number>, signal: AbortSignal) => Promise<SocketReading>;
  readonly users: {
    names(uids: ReadonlySet<number>, signal: AbortSignal): Promise<ReadonlyMap<number, UserNames>>;
  };
  readonly hosted: () => Promise<readonly HostedService[]>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Looking takes at most this share of the time. */
const share = 0.01;
/** And is never further apart, in milliseconds: waiting for a name server is counted too. */
const longestMs = 60_000;

/** Who calls whom on this host. Looks at its sockets now and then, never because somebody asks. */
export class HostTopology {
  readonly #options: HostTopologyOptions;
  readonly #edges = new Edges();
  /** Local connections without a client that the last look found. */
  #orphans: ReadonlySet<string> = new Set();
  #hosted: readonly HostedService[] = [];
  /** Monotonic milliseconds. */
  #lookedAt = Infinity;
  #problem: string | undefined;

  constructor(options: HostTopologyOptions) {
    this.#options = options;
  }

  get edges(): readonly Edge[] {
    const { clock } = this.#options;
    return this.#edges.list(clock.now() - clock.monotonic());
  }

  /** Edges for which there was no room. */
  get dropped(): number {
    return this.#edges.dropped;
  }

  /** The services that nerve registers from here. */
  get hosted(): readonly HostedService[] {
    return this.#hosted;
  }

  /** Why callers cannot be seen; undefined where they can. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Looks again and again until `signal` aborts. */
  readonly run: Task = async (signal) => {
    const { clock, everyMs } = this.#options;
    while (!signal.aborted) {
      const since = clock.monotonic();
      await this.look(signal).catch((error: unknown) => this.#failed(error, signal));
      const took = clock.monotonic() - since;
      await clock.sleep(Math.min(Math.max(everyMs, took / share), longestMs), signal).catch(() => undefined);
    }
  };

  /** Looks once. Rejects when `signal` aborts. */
  async look(signal: AbortSignal): Promise<void> {
    const { clock, instanceId, entrances, declared, hosted } = this.#options;
    this.#hosted = await hosted();
    const now = clock.monotonic();
    const active = this.#active(now);
    const known = entrances();
    const services = new Set([...known.flatMap((entrance) => entrance.services), ...active]);
    this.#edges.age(now, (service) => services.has(service));
    if (active.length === 0) return;
    const facts = { instanceId, declared: declared(), hosted: this.#hosted };
    const clients = await this.#options.clients(new Set(active), signal);
    const seen = await this.#seen(known, clients, facts, signal);
    for (const { caller, service } of seen.values()) this.#edges.note(caller, service, now);
    const found = new Set([...seen.values()].map(({ service }) => service));
    const unseen = { ...facts, users: new Map(), listeners: new Map() };
    for (const service of active)
      if (!found.has(service)) this.#edges.note(callerUnseen(service, unseen), service, now);
  }

  /** Services that were called since the last look. */
  #active(now: number): readonly string[] {
    const { traffic, everyMs } = this.#options;
    const fromMs = Math.max(everyMs, Math.min(now - this.#lookedAt, longestMs));
    this.#lookedAt = now;
    const span = { fromMs, toMs: 0, withPoints: false };
    const { services = [] } = traffic()?.services(span) ?? {};
    return services
      .filter(({ open, summary }) => open > 0 || summary.requests > 0)
      .map(({ service }) => service);
  }

  async #seen(
    entrances: readonly Entrance[],
    clients: ClientReading,
    facts: Omit<CallerFacts, 'users' | 'listeners'>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, { readonly caller: Caller; readonly service: string }>> {
    const connections = await this.#connections(entrances, clients, facts.hosted, signal);
    const uids = new Set(connections.found.flatMap(({ uid }) => uid ?? []));
    const users = await this.#options.users.names(uids, signal);
    const orphans = new Set<string>();
    const seen = new Map<string, { readonly caller: Caller; readonly service: string }>();
    for (const { caller: name, service } of clients.own) {
      const caller: Caller = { name, identity: 'declared' };
      seen.set(`${caller.identity}\0${name}\0${service}`, { caller, service });
    }
    for (const connection of connections.found) {
      const { uid, key, isLocal, service } = connection;
      if (uid === undefined && isLocal) {
        orphans.add(key);
        // The list is no snapshot: the client may have come, or gone, while it was read.
        if (!this.#orphans.has(key)) continue;
      }
      const caller = callerOf(connection, { ...facts, users, listeners: connections.listeners });
      seen.set(`${caller.identity}\0${caller.name}\0${service}`, { caller, service });
    }
    this.#orphans = orphans;
    return seen;
  }

  async #connections(
    entrances: readonly Entrance[],
    { shared, isCut: isBusy }: ClientReading,
    hosted: readonly HostedService[],
    signal: AbortSignal,
  ): Promise<{
    readonly found: readonly Connection[];
    readonly listeners: ReadonlyMap<number, number>;
  }> {
    const { readSockets } = this.#options;
    const ports = new Set([...entrances, ...hosted].map(({ port }) => port));
    try {
      const { sockets, isCut } = await readSockets(ports, signal);
      this.#tell(
        isCut
          ? 'there are more sockets than are read'
          : isBusy
            ? 'HAProxy has too many clients to be asked for which service each is, where services share an entrance'
            : undefined,
      );
      return { found: connectionsOf(sockets, entrances, shared), listeners: listenersOf(sockets) };
    } catch (error) {
      if (signal.aborted) throw error;
      this.#tell(describeError(error));
      return { found: [], listeners: new Map() };
    }
  }

  #failed(error: unknown, signal: AbortSignal): void {
    if (!signal.aborted) this.#tell(describeError(error));
  }

  /** Each is told once. */
  #tell(problem: string | undefined): void {
    if (problem !== undefined && problem !== this.#problem)
      this.#options.logger.warn('callers of services cannot all be seen', { problem });
    this.#problem = problem;
  }
}
