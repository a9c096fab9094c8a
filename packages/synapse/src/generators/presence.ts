/** Since when servers of services are somewhere: wanted, in a file, in what runs. Wall clock milliseconds. */
export class Presence {
  #services = new Map<string, { readonly since: number; readonly servers: ReadonlyMap<string, number> }>();

  /** Takes all servers of a service that are there at `at`; those that were there before keep their time. */
  note(service: string, servers: Iterable<string>, at: number): void {
    const before = this.#services.get(service);
    const now = new Map<string, number>();
    for (const server of servers) now.set(server, before?.servers.get(server) ?? at);
    this.#services.set(service, { since: before?.since ?? at, servers: now });
  }

  /** Services that are there no more lose their times. */
  keepOnly(services: ReadonlySet<string>): void {
    for (const service of this.#services.keys()) if (!services.has(service)) this.#services.delete(service);
  }

  /** Since when the service is there; undefined where it is not. */
  service(name: string): number | undefined {
    return this.#services.get(name)?.since;
  }

  /** Since when the server is there; undefined where it is not. */
  server(service: string, name: string): number | undefined {
    return this.#services.get(service)?.servers.get(name);
  }
}
