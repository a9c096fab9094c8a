import { replacedSince } from '../plan/running.js';
import type { DesiredState, ObservedServer, ObservedState, Server, ServiceSections } from '../types.js';

/**
 * Since when the servers of one section are as they are. Most came with the section: only the time of those that
 * came or changed later is kept for each.
 */
class Times {
  readonly since: number;
  readonly #later = new Map<string, number>();

  constructor(since: number) {
    this.since = since;
  }

  /** `before` and `now` are what tells a server's state from another one, by name. */
  note(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>, at: number): void {
    for (const [name, state] of now) if (before.get(name) !== state) this.#later.set(name, at);
    for (const name of before.keys()) if (!now.has(name)) this.#later.delete(name);
  }

  of(name: string): number {
    return this.#later.get(name) ?? this.since;
  }
}

function wantedStates(servers: readonly Server[]): ReadonlyMap<string, string> {
  return new Map(servers.map(({ name, disabled }) => [name, String(disabled)]));
}

function runningStates(servers: Iterable<ObservedServer>): ReadonlyMap<string, string> {
  return new Map(
    [...servers].map(({ name, admin, operational, weight }) => [
      name,
      `${admin} ${operational} ${weight === 0 ? 'unused' : 'used'}`,
    ]),
  );
}

/** The times of one set of sections: of each service, and of each server in it. */
class SectionTimes {
  #last: DesiredState | undefined;
  readonly #known = new Map<string, { readonly sections: ServiceSections; readonly times: Times }>();

  note(state: DesiredState, at: number): void {
    if (state === this.#last) return;
    const before = this.#last?.services ?? [];
    this.#last = state;
    for (const [index, sections] of state.services.entries()) {
      if (sections === before[index]) continue;
      const { service, backend } = sections;
      const old = this.#known.get(service);
      if (old?.sections === sections) continue;
      const servers = old?.sections.backend.servers;
      if (servers !== undefined && servers !== backend.servers)
        old?.times.note(wantedStates(servers), wantedStates(backend.servers), at);
      this.#known.set(service, { sections, times: old?.times ?? new Times(at) });
    }
    if (this.#known.size === state.services.length) return;
    const names = new Set(state.services.map(({ service }) => service));
    for (const service of this.#known.keys()) if (!names.has(service)) this.#known.delete(service);
  }

  service(name: string): number | undefined {
    return this.#known.get(name)?.times.since;
  }

  /** Of a server that the service has. */
  server(service: string, name: string): number | undefined {
    return this.#known.get(service)?.times.of(name);
  }
}

/** So many servers that left the process are remembered. */
const maxGone = 1_000;

/** When sections and servers became what they are: wanted, in the file, and in the process. Wall clock milliseconds. */
export class Timeline {
  readonly desired = new SectionTimes();
  readonly file = new SectionTimes();
  readonly #running = new Map<
    string,
    { servers: ReadonlyMap<string, ObservedServer>; readonly times: Times }
  >();
  readonly #gone = new Map<string, number>();
  #seen: ObservedState['backends'] | undefined;

  /** Takes what was seen of a process. */
  observed(state: ObservedState, at: number): void {
    const replaced = replacedSince(this.#seen, state.backends);
    this.#seen = state.backends;
    for (const [backend, servers] of replaced) {
      const old = this.#running.get(backend);
      if (old === undefined) this.#running.set(backend, { servers, times: new Times(at) });
      else if (old.servers !== servers) {
        old.times.note(runningStates(old.servers.values()), runningStates(servers.values()), at);
        for (const name of old.servers.keys()) if (!servers.has(name)) this.#leave(`${backend}/${name}`, at);
        old.servers = servers;
      }
    }
    if (this.#running.size === state.backends.size) return;
    for (const backend of this.#running.keys())
      if (!state.backends.has(backend)) this.#running.delete(backend);
  }

  /** Since when the process has the server in its present state; undefined where it has none of that name. */
  running(backend: string, server: string): number | undefined {
    const known = this.#running.get(backend);
    return known?.servers.has(server) ? known.times.of(server) : undefined;
  }

  /** When the process was first seen without it; undefined where it never had it, or that is long ago. */
  goneSince(backend: string, server: string): number | undefined {
    return this.#gone.get(`${backend}/${server}`);
  }

  #leave(key: string, at: number): void {
    this.#gone.delete(key);
    this.#gone.set(key, at);
    for (const oldest of this.#gone.keys()) {
      if (this.#gone.size <= maxGone) break;
      this.#gone.delete(oldest);
    }
  }
}
