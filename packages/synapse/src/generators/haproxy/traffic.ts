import type { Clock } from '@smartstack/agent';
import { TrafficHistory } from '../../traffic/history.js';
import type { TrafficView } from '../../traffic/types.js';
import { CountingAccount } from './counters/counting.js';
import { type Counts, minus, noCounts, sameCounts } from './counters/counts.js';
import type { HistogramReading } from './counters/histograms.js';
import {
  advance,
  forgetRows,
  forgetWorker,
  noTotals,
  openNow,
  type Reading,
  type Totals,
} from './counters/totals.js';
import { rowKey } from './counters/statTable.js';
import { isLatencyLine } from './desired/latencyLines.js';
import { outlineOf } from './desired/outline.js';
import { Latencies } from './latencies.js';
import type { TrafficMetrics } from './trafficMetrics.js';
import { type Families, familiesOf, gainOf, rowsOf, serversOf, sumOf } from './trafficRows.js';
import type { ServiceSections } from './types.js';

/** Workers that fell silent keep their place: a frozen one that comes back must not count twice. */
const maxSilent = 8;
/** The status shows counters of single servers up to so many. */
const maxServersShown = 1_000;

/** For people: what is not zero. */
function shown(counts: Counts | undefined): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(counts ?? {}).filter(([, value]) => value > 0));
}

function shownServers(
  family: readonly ServiceSections[],
  counted: (key: string) => Counts | undefined,
): Readonly<Record<string, unknown>> {
  const servers = [...serversOf(family)];
  return Object.fromEntries(servers.map(([name, keys]) => [name, shown(sumOf(keys.map(counted)))]));
}

/** Mean duration by the newest worker that knows one, in milliseconds. */
function lasting(
  { workers }: Totals,
  live: readonly string[],
  backends: readonly string[],
): number | undefined {
  const known = live.flatMap((worker) =>
    backends.flatMap((backend) => workers.get(worker)?.rows.get(backend)?.lastingMs ?? []),
  );
  return known.findLast((ms) => ms > 0);
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
  #services: readonly ServiceSections[] = [];
  /** They by service, once somebody asks. */
  #byService: Families | undefined;
  /** What the metrics have of each row already. */
  readonly #published = new Map<string, Counts>();
  /** What they follow from: mostly nothing was read since they were published. */
  #basis: readonly unknown[] = [];
  /** What they show of each service: of thousands most are the same at the next look. */
  readonly #shown = new Map<string, readonly unknown[]>();
  /** The workers that answered last. */
  #live: readonly string[] = [];
  readonly #history: TrafficHistory;
  readonly #latencies: Latencies;
  /** How the counting itself fares. */
  readonly account: CountingAccount;
  #readings = 0;
  #noLatencies: (service: string) => string | undefined = () => undefined;

  constructor(clock: Clock, metrics: TrafficMetrics) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#startedAt = clock.monotonic();
    this.#history = new TrafficHistory(clock, {
      services: () => this.#families.keys(),
      servers: (service) => serversOf(this.#families.get(service) ?? []).keys(),
      facts: (service, server) => this.#facts(service, server),
      noLatencies: (service) => this.#whyNoLatencies(service),
    });
    this.#latencies = new Latencies(this.#history, metrics);
    this.account = new CountingAccount(() => clock.monotonic());
  }

  /** The last hour, for whoever looks. */
  get view(): TrafficView {
    return this.#history;
  }

  /** Whether there is anything to be read of latencies. */
  get hasLatencies(): boolean {
    return this.#latencies.isWanted;
  }

  /**
   * Whose sections are counted for whom, from now on. A service that left loses its series. `noLatencies` says why
   * latencies of a service, which has no lines for them, are not counted.
   */
  serve(
    services: readonly ServiceSections[],
    noLatencies: (service: string) => string | undefined = () => undefined,
  ): void {
    const isSame = outlineOf(this.#services) === outlineOf(services);
    const before: Families = isSame ? new Map<string, never>() : this.#families;
    this.#services = services;
    this.#byService = undefined;
    this.#noLatencies = noLatencies;
    this.#latencies.serve(services);
    this.#history.expectServers(services.reduce((count, { backend }) => count + backend.servers.length, 0));
    for (const [service, family] of before) {
      if (this.#families.has(service)) continue;
      this.#metrics.remove(service);
      this.#shown.delete(service);
      this.#history.forget(service, serversOf(family).keys());
    }
  }

  get #families(): Families {
    this.#byService ??= familiesOf(this.#services);
    return this.#byService;
  }

  /** Takes a reading of histograms. Answers with the entries to remove from that worker's table. */
  addLatencies(reading: Omit<HistogramReading, 'isOlder'>, uptimeSeconds: number): readonly string[] {
    const isOlder = this.#isOlder(uptimeSeconds);
    return this.#latencies.add({ ...reading, isOlder }, this.#clock.monotonic());
  }

  /** An entry was removed from a worker's table. */
  removedLatencies(worker: string, key: string): void {
    this.#latencies.removed(worker, key);
  }

  /** A worker ended; its last so many seconds were not read. */
  lost(seconds: number): void {
    this.account.lost(seconds);
    this.#metrics.lost(seconds);
  }

  /** Takes a reading; `uptimeSeconds` is the worker's age. */
  add(reading: Omit<Reading, 'isOlder'>, uptimeSeconds: number): void {
    this.#totals = advance(this.#totals, { ...reading, isOlder: this.#isOlder(uptimeSeconds) });
    this.account.read();
    this.#history.looked();
  }

  #isOlder(uptimeSeconds: number): boolean {
    return uptimeSeconds * 1000 > this.#clock.monotonic() - this.#startedAt;
  }

  /** A worker has ended, and was read to its end. */
  forget(worker: string): void {
    this.#totals = forgetWorker(this.#totals, worker);
    this.#latencies.forget(worker);
  }

  /** How often counters of servers were read. */
  get readings(): number {
    return this.#readings;
  }

  /** Requests to a server that got no response of it, since synapse counts, and those under way; undefined before any were counted. */
  countsOf(backend: string, server: string): { readonly lost: number; readonly open: number } | undefined {
    const key = rowKey('server', backend, server);
    const counts = this.#totals.sums.get(key)?.counts;
    if (counts === undefined) return undefined;
    return { lost: counts.econ + counts.eresp, open: openNow(this.#totals, this.#live, key) };
  }

  /** A reading failed. */
  failed(): void {
    this.account.failed();
    this.#metrics.failed();
  }

  /** Brings the metrics up to date. `live` are the workers that answer now; `hasServers`: all of them were read in full. */
  publish(live: readonly string[], hasServers: boolean): void {
    this.#forgetEnded(live);
    if (hasServers) {
      this.#forgetServers();
      this.#readings += 1;
    }
    const basis = [this.#totals, this.#services, live.join()];
    const isKnown = basis.every((value, index) => value === this.#basis[index]);
    this.#basis = basis;
    this.#live = live;
    if (isKnown) return;
    for (const [service, family] of this.#families) {
      this.#publishService(service, family);
      if (hasServers && this.#history.hasServers) this.#noteServers(service, family);
    }
  }

  #publishService(service: string, family: readonly ServiceSections[]): void {
    const own = family.map(rowsOf);
    const backends = own.map(({ backend }) => backend);
    const frontend = own.find((rows) => rows.frontend !== undefined)?.frontend;
    const sums = backends.map((backend) => this.#totals.sums.get(backend));
    const { http: isHttp, open } = this.#facts(service);
    if (isHttp === undefined) return;
    const refused = frontend === undefined ? undefined : this.#totals.sums.get(frontend);
    const shownBefore = this.#shown.get(service);
    const shownNow = [...backends, ...sums, open, frontend, refused];
    const isShown =
      shownBefore?.length === shownNow.length &&
      shownBefore.every((value, index) => value === shownNow[index]);
    // What lasts is noted in each slot of time.
    if (isShown && open === 0) return;
    const gain = sumOf(backends.map((backend) => this.#gained(backend))) ?? noCounts;
    const meanDurationMs = lasting(this.#totals, this.#live, backends);
    this.#history.note(service, undefined, { gain: gainOf(gain), open, meanDurationMs });
    if (isShown) return;
    this.#shown.set(service, shownNow);
    this.#metrics.gained(service, isHttp, gain, open);
    if (!isHttp && meanDurationMs !== undefined) this.#metrics.lasted(service, meanDurationMs / 1000);
    if (frontend !== undefined) this.#metrics.refused(service, this.#gained(frontend).ereq);
  }

  #noteServers(service: string, family: readonly ServiceSections[]): void {
    for (const [server, keys] of serversOf(family)) {
      const gain = sumOf(keys.map((key) => this.#gained(key))) ?? noCounts;
      const { open } = this.#facts(service, server);
      if (open > 0 || !sameCounts(gain, noCounts))
        this.#history.note(service, server, { gain: gainOf(gain), open });
    }
  }

  #keysOf(service: string, server: string | undefined): readonly string[] {
    const family = this.#families.get(service) ?? [];
    return server === undefined
      ? family.map((sections) => rowsOf(sections).backend)
      : (serversOf(family).get(server) ?? []);
  }

  #facts(service: string, server?: string): { readonly http: boolean | undefined; readonly open: number } {
    const keys = this.#keysOf(service, server);
    const http = keys.map((key) => this.#totals.sums.get(key)?.http).find((known) => known !== undefined);
    return { http, open: keys.reduce((sum, key) => sum + openNow(this.#totals, this.#live, key), 0) };
  }

  #whyNoLatencies(service: string): string | undefined {
    const family = this.#families.get(service) ?? [];
    if (family.some(({ backend }) => backend.lines.some(isLatencyLine))) return undefined;
    if (this.#facts(service).http === false) return 'it is in mode tcp';
    return this.#noLatencies(service) ?? 'they are not asked for (`traffic.latencies` in agent.yaml)';
  }

  /** Totals by service, and of the servers of each while they are few. */
  status(): unknown {
    const { sums } = this.#totals;
    const services = [...this.#families];
    const servers = services.reduce((count, [, [own]]) => count + (own?.backend.servers.length ?? 0), 0);
    const counted = (key: string): Counts | undefined => sums.get(key)?.counts;
    return Object.fromEntries(
      services.map(([service, family]) => [
        service,
        {
          ...shown(sumOf(family.map((sections) => counted(rowsOf(sections).backend)))),
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
      [...this.#families.values()]
        .flat()
        .flatMap((sections) => rowsOf(sections).servers.map(({ key }) => key)),
    );
    const isServer = (key: string): boolean => this.#totals.sums.get(key)?.kind === 'server';
    // Sections stay: they are few, and their sums must not begin again should they come back.
    this.#totals = forgetRows(this.#totals, (key) => keep.has(key) || !isServer(key));
  }
}
