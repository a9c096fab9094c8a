import type { Clock } from '@smartstack/agent';
import { type Counts, minus, noCounts, plus } from './counters/counts.js';
import { rowKey } from './counters/statTable.js';
import {
  advance,
  forgetRows,
  forgetWorker,
  noTotals,
  openNow,
  type Reading,
  type Totals,
} from './counters/totals.js';
import { ownerOf } from './desired/tierNames.js';
import type { TrafficMetrics } from './trafficMetrics.js';
import type { ServiceSections } from './types.js';

/** Workers that fell silent keep their place: a frozen one that comes back must not count twice. */
const maxSilent = 8;
/** The status shows counters of single servers up to so many. */
const maxServersShown = 1_000;

interface ServiceRows {
  readonly backend: string;
  readonly frontend: string | undefined;
  readonly servers: readonly { readonly name: string; readonly key: string }[];
}

/** Sections are values: their rows are named when somebody counts, once. */
const rows = new WeakMap<ServiceSections, ServiceRows>();

function rowsOf(sections: ServiceSections): ServiceRows {
  const known = rows.get(sections);
  if (known !== undefined) return known;
  const { frontend, backend } = sections;
  const name = frontend?.title.split(' ')[1];
  const named = {
    backend: rowKey('backend', backend.name),
    frontend: name === undefined ? undefined : rowKey('frontend', name),
    servers: backend.servers.map((server) => ({
      name: server.name,
      key: rowKey('server', backend.name, server.name),
    })),
  };
  rows.set(sections, named);
  return named;
}

/** The sections of each service: its own, and those of its tiers. */
type Families = ReadonlyMap<string, readonly ServiceSections[]>;

function familiesOf(services: readonly ServiceSections[]): Families {
  const families = new Map<string, ServiceSections[]>();
  for (const sections of services) {
    const owner = ownerOf(sections.service);
    const family = families.get(owner);
    if (family === undefined) families.set(owner, [sections]);
    else family.push(sections);
  }
  return families;
}

function sumOf(counts: readonly (Counts | undefined)[]): Counts | undefined {
  const known = counts.filter((each) => each !== undefined);
  return known.length === 0 ? undefined : known.reduce(plus);
}

/** For people: what is not zero. */
function shown(counts: Counts | undefined): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(counts ?? {}).filter(([, value]) => value > 0));
}

/** A server of a tier is one of its service's, too. */
function shownServers(
  family: readonly ServiceRows[],
  counted: (key: string) => Counts | undefined,
): Readonly<Record<string, unknown>> {
  const keys = new Map<string, string[]>();
  for (const { name, key } of family.flatMap(({ servers }) => servers))
    keys.set(name, [...(keys.get(name) ?? []), key]);
  return Object.fromEntries([...keys].map(([name, all]) => [name, shown(sumOf(all.map(counted)))]));
}

/**
 * What HAProxy counted since synapse started, carried over reloads, restarts of HAProxy and servers that come
 * again. Gives each service what its sections gained; what a section gained before its service was known follows.
 */
export class Traffic {
  readonly #clock: Clock;
  readonly #metrics: TrafficMetrics;
  readonly #startedAt: number;
  #totals: Totals = noTotals;
  #services: Families = new Map();
  /** What the metrics have of each row already. */
  readonly #published = new Map<string, Counts>();
  /** What they follow from: mostly nothing was read since they were published. */
  #basis: readonly unknown[] = [];
  /** What they show of each service: of thousands most are the same at the next look. */
  readonly #shown = new Map<string, readonly unknown[]>();

  constructor(clock: Clock, metrics: TrafficMetrics) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#startedAt = clock.monotonic();
  }

  /** Whose sections are counted for whom, from now on. A service that left loses its series. */
  serve(services: readonly ServiceSections[]): void {
    const before = this.#services;
    this.#services = familiesOf(services);
    for (const service of before.keys()) {
      if (this.#services.has(service)) continue;
      this.#metrics.remove(service);
      this.#shown.delete(service);
    }
  }

  /** Takes a reading; `uptimeSeconds` is the worker's age. */
  add(reading: Omit<Reading, 'isOlder'>, uptimeSeconds: number): void {
    const isOlder = uptimeSeconds * 1000 > this.#clock.monotonic() - this.#startedAt;
    this.#totals = advance(this.#totals, { ...reading, isOlder });
  }

  /** A worker has ended, and was read to its end. */
  forget(worker: string): void {
    this.#totals = forgetWorker(this.#totals, worker);
  }

  /** A reading failed. */
  failed(): void {
    this.#metrics.failed();
  }

  /** Brings the metrics up to date. `live` are the workers that answer now; `hasServers`: all of them were read in full. */
  publish(live: readonly string[], hasServers: boolean): void {
    this.#forgetEnded(live);
    if (hasServers) this.#forgetServers();
    const basis = [this.#totals, this.#services, live.join()];
    if (basis.every((value, index) => value === this.#basis[index])) return;
    this.#basis = basis;
    for (const [service, family] of this.#services) {
      const own = family.map(rowsOf);
      const backends = own.map(({ backend }) => backend);
      const frontend = own.find((rows) => rows.frontend !== undefined)?.frontend;
      const sums = backends.map((backend) => this.#totals.sums.get(backend));
      const isHttp = sums.find((sum) => sum !== undefined)?.http;
      if (isHttp === undefined) continue;
      const open = backends.reduce((sum, backend) => sum + openNow(this.#totals, live, backend), 0);
      const refused = frontend === undefined ? undefined : this.#totals.sums.get(frontend);
      const shownBefore = this.#shown.get(service);
      const shownNow = [...backends, ...sums, open, frontend, refused];
      if (
        shownBefore?.length === shownNow.length &&
        shownBefore.every((value, index) => value === shownNow[index])
      )
        continue;
      this.#shown.set(service, shownNow);
      const gain = sumOf(backends.map((backend) => this.#gained(backend))) ?? noCounts;
      this.#metrics.gained(service, isHttp, gain, open);
      if (frontend !== undefined) this.#metrics.refused(service, this.#gained(frontend).ereq);
    }
  }

  /** Totals by service, and of the servers of each while they are few. */
  status(): unknown {
    const { sums } = this.#totals;
    const services = [...this.#services].map(([service, family]) => [service, family.map(rowsOf)] as const);
    const servers = services.reduce((count, [, [own]]) => count + (own?.servers.length ?? 0), 0);
    const counted = (key: string): Counts | undefined => sums.get(key)?.counts;
    return Object.fromEntries(
      services.map(([service, family]) => [
        service,
        {
          ...shown(sumOf(family.map(({ backend }) => counted(backend)))),
          ...(servers <= maxServersShown && { servers: shownServers(family, counted) }),
        },
      ]),
    );
  }

  #gained(key: string): Counts {
    const now = this.#totals.sums.get(key)?.counts ?? noCounts;
    const before = this.#published.get(key) ?? noCounts;
    this.#published.set(key, now);
    return minus(now, before);
  }

  #forgetEnded(live: readonly string[]): void {
    const silent = [...this.#totals.workers.keys()].filter((worker) => !live.includes(worker));
    for (const worker of silent.slice(0, -maxSilent)) this.forget(worker);
  }

  #forgetServers(): void {
    const keep = new Set(
      [...this.#services.values()]
        .flat()
        .flatMap((sections) => rowsOf(sections).servers.map(({ key }) => key)),
    );
    const isServer = (key: string): boolean => this.#totals.sums.get(key)?.kind === 'server';
    // Sections stay: they are few, and their sums must not begin again should they come back.
    this.#totals = forgetRows(this.#totals, (key) => keep.has(key) || !isServer(key));
  }
}
