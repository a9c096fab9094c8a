import { latencyBuckets } from '../../traffic/latency.js';
import type { TrafficHistory } from '../../traffic/history.js';
import { type HistogramGain, type HistogramReading, Histograms } from './counters/histograms.js';
import { latencyLinesOf } from './desired/latencyLines.js';
import { ownerOf } from './desired/tierNames.js';
import type { TrafficMetrics } from './trafficMetrics.js';
import type { ServiceSections } from './types.js';

/** An entry of a server that is not wanted is removed when it was quiet for so long, in milliseconds. */
const quietMs = 60_000;
/** So many at one look. */
const maxRemovals = 100;

/** Names of servers by id. Sections are values: those of each are listed once. */
const known = new WeakMap<ServiceSections, ReadonlyMap<string, string>>();

function namesOf(sections: ServiceSections): ReadonlyMap<string, string> {
  const before = known.get(sections);
  if (before !== undefined) return before;
  const names = new Map(sections.backend.servers.map(({ id, name }) => [String(id), name]));
  known.set(sections, names);
  return names;
}

const failuresAt = latencyBuckets;

/** What latencies of services and servers come to: to the metrics, the history, and whoever listens. */
export class Latencies {
  readonly #histograms = new Histograms();
  readonly #history: TrafficHistory;
  readonly #metrics: TrafficMetrics;
  #services: readonly ServiceSections[] = [];
  /** They by backend, once somebody asks. */
  #known: ReadonlyMap<string, ServiceSections> | undefined;
  /** Entries that belong to nobody, and since when nothing happened to them, by worker. */
  readonly #strangers = new Map<string, Map<string, number>>();
  /** When each worker was looked at last. */
  readonly #looks = new Map<string, number>();

  constructor(history: TrafficHistory, metrics: TrafficMetrics) {
    this.#history = history;
    this.#metrics = metrics;
  }

  /** Whose backends are counted for whom, from now on. */
  serve(services: readonly ServiceSections[]): void {
    this.#services = services;
    this.#known = undefined;
  }

  get #byBackend(): ReadonlyMap<string, ServiceSections> {
    this.#known ??= new Map(this.#services.map((sections) => [sections.backend.name, sections]));
    return this.#known;
  }

  /** Whether any lines count anything. */
  get isWanted(): boolean {
    return this.#services.some((sections) => latencyLinesOf(sections).length > 0);
  }

  /** Takes a reading at `now` (monotonic milliseconds). Answers with the entries to remove from that worker's table. */
  add(reading: HistogramReading, now: number): readonly string[] {
    const gains = this.#histograms.add(reading);
    this.#publish(gains, (now - (this.#looks.get(reading.worker) ?? now)) / 1000);
    this.#looks.set(reading.worker, now);
    return this.#leftovers(reading, gains, now);
  }

  /** An entry was removed. */
  removed(worker: string, key: string): void {
    this.#histograms.removed(worker, key);
    this.#strangers.get(worker)?.delete(key);
  }

  /** A worker has ended. */
  forget(worker: string): void {
    this.#histograms.forget(worker);
    this.#strangers.delete(worker);
    this.#looks.delete(worker);
  }

  #publish(gains: readonly HistogramGain[], seconds: number): void {
    const services = new Map<string, number[]>();
    const heard = gains.flatMap(({ key, counts }) => {
      const at = key.lastIndexOf('/');
      const sections = this.#byBackend.get(key.slice(0, at));
      if (sections === undefined) return [];
      const service = ownerOf(sections.service);
      const latencies = counts.slice(0, latencyBuckets);
      const sums = services.get(service);
      if (sums === undefined) services.set(service, [...latencies]);
      else latencies.forEach((count, bucket) => (sums[bucket] = (sums[bucket] ?? 0) + count));
      const server = namesOf(sections).get(key.slice(at + 1));
      if (server === undefined) return [];
      this.#history.note(service, server, { latencies });
      const failures = counts[failuresAt] ?? 0;
      return [{ service, backend: sections.backend.name, server, seconds, latencies, failures }];
    });
    for (const [service, latencies] of services) {
      this.#history.note(service, undefined, { latencies });
      this.#metrics.answered(service, latencies);
    }
    if (this.#history.isHeard) this.#history.tell(heard);
  }

  /** Servers that left would fill the table for ever. One that still answers, or that somebody else added, stays. */
  #leftovers(
    { worker, rows }: HistogramReading,
    gains: readonly HistogramGain[],
    now: number,
  ): readonly string[] {
    const before = this.#strangers.get(worker) ?? new Map<string, number>();
    const strangers = new Map<string, number>();
    const busy = new Set(gains.map(({ key }) => key));
    const leftovers: string[] = [];
    for (const { key, inUse } of rows) {
      const at = key.lastIndexOf('/');
      const sections = this.#byBackend.get(key.slice(0, at));
      if (sections !== undefined && namesOf(sections).has(key.slice(at + 1))) continue;
      const since = inUse || busy.has(key) ? now : (before.get(key) ?? now);
      strangers.set(key, since);
      if (now - since >= quietMs && leftovers.length < maxRemovals) leftovers.push(key);
    }
    this.#strangers.set(worker, strangers);
    return leftovers;
  }
}
