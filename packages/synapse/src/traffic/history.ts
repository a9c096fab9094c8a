import type { Clock } from '@smartstack/agent';

import { latencyBounds } from './latency.js';
import type { ServerTraffic, ServiceDetail, ServiceTraffic, TrafficAnswer } from './shapes.js';
import type { GainListener, ServerGain, Span, TrafficView } from './types.js';
import { pointOf, summaryOf } from './view.js';
import { type Note, TrafficWindow } from './window.js';

const [slotMs, spanMs] = [10_000, 3_600_000];
/** In chunks of two minutes of one series: 16 MB for services, 8 MB for servers. */
const [serviceChunks, serverChunks] = [10_000, 5_000];
/** Beyond so many servers in all there is no history of single ones. */
const maxServers = 2_000;

/** What is known of a service or server beside its history. */
export interface Facts {
  readonly http: boolean | undefined;
  /** Under way now. */
  readonly open: number;
}

/** Whose history it is. */
export interface Subjects {
  /** Services, in order. */
  readonly services: () => Iterable<string>;
  /** Names of the servers of a service, those of its tiers included. */
  readonly servers: (service: string) => Iterable<string>;
  readonly facts: (service: string, server?: string) => Facts;
  /** Why no latencies of a service are counted; undefined where they are. */
  readonly noLatencies: (service: string) => string | undefined;
}

const seriesOf = (service: string, server: string): string => `${service}\0${server}`;

/** The last hour of services and servers. */
export class TrafficHistory implements TrafficView {
  readonly #clock: Clock;
  readonly #subjects: Subjects;
  readonly #startedAt: number;
  readonly #services = new TrafficWindow({ slotMs, spanMs, maxChunks: serviceChunks });
  readonly #servers = new TrafficWindow({ slotMs, spanMs, maxChunks: serverChunks });
  readonly #listeners = new Set<GainListener>();
  /** When HAProxy was asked last: what came later is not counted yet. */
  #lookedAt: number;
  #serverCount = 0;

  constructor(clock: Clock, subjects: Subjects) {
    this.#clock = clock;
    this.#subjects = subjects;
    this.#startedAt = clock.monotonic();
    this.#lookedAt = this.#startedAt;
  }

  /** There is room for the history of each server. */
  get hasServers(): boolean {
    return this.#serverCount <= maxServers;
  }

  /** How many servers there are. */
  expectServers(count: number): void {
    this.#serverCount = count;
  }

  /** HAProxy was just asked. */
  looked(): void {
    this.#lookedAt = this.#clock.monotonic();
  }

  /** Notes what was counted of a service, or of one of its servers, until now. */
  note(service: string, server: string | undefined, note: Note): void {
    const now = this.#clock.monotonic();
    if (server === undefined) this.#services.note(service, now, note);
    else if (this.hasServers) this.#servers.note(seriesOf(service, server), now, note);
  }

  /** A service left, with these servers. */
  forget(service: string, servers: Iterable<string>): void {
    this.#services.forget(service);
    for (const server of servers) this.#servers.forget(seriesOf(service, server));
  }

  listen(listener: GainListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tells whoever listens. */
  tell(gains: readonly ServerGain[]): void {
    for (const listener of this.#listeners) listener(gains);
  }

  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  services(span: Span): TrafficAnswer {
    const services = [...this.#subjects.services()].map((name) => this.#service(name, span));
    return { ...this.#spanOf(span), services };
  }

  service(name: string, span: Span): ServiceDetail | undefined {
    if (![...this.#subjects.services()].includes(name)) return undefined;
    const { hasServers } = this;
    return {
      ...this.#spanOf(span),
      service: this.#service(name, span),
      servers: hasServers
        ? [...this.#subjects.servers(name)].map((each) => this.#server(name, each, span))
        : [],
      ...(!hasServers && { noServers: `there are more than ${maxServers} servers on this host` }),
    };
  }

  #spanOf({ fromMs, toMs }: Span): Omit<TrafficAnswer, 'services'> {
    const now = this.#clock.now();
    const lookedAt = Math.round(now - (this.#clock.monotonic() - this.#lookedAt));
    return { now, from: now - fromMs, to: now - toMs, lookedAt, slotSeconds: slotMs / 1000, latencyBounds };
  }

  #service(service: string, span: Span): ServiceTraffic {
    const noLatencies = this.#subjects.noLatencies(service);
    const traffic = this.#traffic(this.#services, service, span, {
      facts: this.#subjects.facts(service),
      hasLatencies: noLatencies === undefined,
    });
    return { service, ...traffic, ...(noLatencies !== undefined && { noLatencies }) };
  }

  #server(service: string, server: string, span: Span): ServerTraffic {
    const traffic = this.#traffic(this.#servers, seriesOf(service, server), span, {
      facts: this.#subjects.facts(service, server),
      hasLatencies: this.#subjects.noLatencies(service) === undefined,
    });
    return { server, ...traffic };
  }

  #traffic(
    window: TrafficWindow,
    series: string,
    { fromMs, toMs, withPoints }: Span,
    { facts, hasLatencies }: { readonly facts: Facts; readonly hasLatencies: boolean },
  ): Omit<ServerTraffic, 'server'> {
    const now = this.#clock.monotonic();
    const [from, to] = [now - fromMs, now - toMs];
    const { http, open } = facts;
    const offset = this.#clock.now() - now;
    return {
      mode: http === undefined ? null : http ? 'http' : 'tcp',
      open,
      summary: summaryOf(window.sum(series, from, to), this.#observed(window, from, to), hasLatencies),
      ...(withPoints && {
        points: window.slots(series, from, to).map(({ atMs, sums }) => pointOf(atMs + offset, sums)),
      }),
    };
  }

  /** Seconds of the slots of a span in which somebody looked: a slot counts as a whole or as far as it got. */
  #observed(window: TrafficWindow, from: number, to: number): number {
    const [begin, end] = window.bounds(from, to);
    const since = Math.max(begin, this.#startedAt, window.droppedUntilMs);
    return Math.max(0, Math.min(end, this.#lookedAt) - since) / 1000;
  }
}
