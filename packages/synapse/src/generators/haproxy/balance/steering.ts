import type { Clock } from '@smartstack/agent';
import type { ServerGain } from '../../../traffic/types.js';
import { Memo } from '../desired/memo.js';
import { type Outline, outlineOf } from '../desired/outline.js';
import { ownerOf } from '../desired/tierNames.js';
import type { DesiredState, ObservedState, Server, ServiceSections, SteeredWeights } from '../types.js';
import type { BalanceMetrics } from './balanceMetrics.js';
import { defaultController, step, type SteeredBackend, unsteered } from './controller.js';
import type { Look } from './evidence.js';
import { isSteered, steeredWeight } from './weights.js';

/** What HAProxy counted of a server since synapse began to count; `open` now. */
interface ServerCounts {
  /** Requests without a response of it. */
  readonly lost: number;
  readonly open: number;
}

/** Where counts of servers come from. */
interface CountSource {
  /** How often they were read so far. */
  readings(): number;
  of(backend: string, server: string): ServerCounts | undefined;
}

/** What steering works with. */
export interface SteeringOptions {
  readonly clock: Clock;
  readonly metrics: BalanceMetrics;
  readonly counts: CountSource;
  /** At most one step in so many milliseconds: several workers may be looked at. */
  readonly stepMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Without any look for so long, weights are the servers' own again. */
const staleMs = 15_000;
/** How often it is looked whether that is so. */
const watchMs = 1_000;

interface Steered {
  readonly sections: ServiceSections;
  state: SteeredBackend;
  /** By server; those alone whose weight is not their own. */
  weights: ReadonlyMap<string, number>;
  /** Whether it is known what ran when synapse began. */
  isBegun: boolean;
}

interface Heard {
  readonly latencies: number[];
  failures: number;
}

const none: SteeredWeights = new Map();

/** At which places services stand whose weights are steered. */
const places = new Memo<Outline, readonly number[]>();

/** Weights of servers that follow from how they answer: kept by backend, from look to look. */
export class Steering {
  readonly #options: SteeringOptions;
  readonly #backends = new Map<string, Steered>();
  readonly #heard = new Map<string, Map<string, Heard>>();
  readonly #lost = new Map<string, number>();
  #readings = 0;
  #steppedAt: number;
  #heardAt: number;
  #weights: SteeredWeights = none;
  #wake: () => void = () => undefined;

  constructor(options: SteeringOptions) {
    this.#options = options;
    this.#steppedAt = options.clock.monotonic();
    this.#heardAt = this.#steppedAt;
  }

  /** Whose weights are steered, from now on. */
  serve(services: readonly ServiceSections[]): void {
    const outline = outlineOf(services);
    const steered = places.of(outline, [], () =>
      outline.flatMap((each, index) => (isSteered(each) ? [index] : [])),
    );
    const before = new Map(this.#backends);
    this.#backends.clear();
    for (const index of steered) {
      const sections = services[index];
      if (sections === undefined) continue;
      const { name, servers } = sections.backend;
      const old = before.get(name);
      before.delete(name);
      const kept: Steered = old ?? { sections, state: new Map(), weights: new Map(), isBegun: false };
      const names = new Set(servers.map((server) => server.name));
      for (const server of kept.state.keys())
        if (!names.has(server)) this.#options.metrics.forget(ownerOf(sections.service), server);
      this.#backends.set(name, { ...kept, sections });
    }
    for (const { sections } of before.values()) this.#forget(sections);
    this.#weigh();
  }

  #forget({ service, backend }: ServiceSections): void {
    this.#heard.delete(backend.name);
    for (const { name } of backend.servers) this.#options.metrics.forget(ownerOf(service), name);
  }

  /** Watches until `signal` aborts; calls `wake` when weights are to change. */
  async run(wake: () => void, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#wake = wake;
    while (!signal.aborted) {
      if (this.#backends.size > 0 && clock.monotonic() - this.#heardAt > staleMs) this.#letGo();
      await clock.sleep(watchMs, signal).catch(() => undefined);
    }
  }

  /** What servers answered since the look before. */
  hear(gains: readonly ServerGain[]): void {
    if (this.#backends.size === 0) return;
    const now = this.#options.clock.monotonic();
    this.#heardAt = now;
    for (const { backend, server, latencies, failures } of gains) {
      if (!this.#backends.has(backend)) continue;
      const servers = this.#heard.get(backend) ?? new Map<string, Heard>();
      this.#heard.set(backend, servers);
      const known = servers.get(server) ?? { latencies: [], failures: 0 };
      latencies.forEach(
        (count, bucket) => (known.latencies[bucket] = (known.latencies[bucket] ?? 0) + count),
      );
      known.failures += failures;
      servers.set(server, known);
    }
    if (now - this.#steppedAt >= this.#options.stepMs) this.#step(now);
  }

  #step(now: number): void {
    const { random, counts } = this.#options;
    const seconds = Math.min(staleMs, now - this.#steppedAt) / 1000;
    this.#steppedAt = now;
    const areCountsNew = counts.readings() !== this.#readings;
    this.#readings = counts.readings();
    for (const [backend, steered] of this.#backends) {
      const names = takers(steered.sections.backend.servers);
      const heard = this.#heard.get(backend);
      const looks = new Map(
        names.map((name) => [name, this.#look(backend, name, heard?.get(name), areCountsNew)] as const),
      );
      steered.state = step(steered.state, names, looks, seconds, random, defaultController);
    }
    this.#heard.clear();
    this.#settle();
  }

  #look(backend: string, server: string, heard: Heard | undefined, areCountsNew: boolean): Look {
    const { latencies = [], failures = 0 } = heard ?? {};
    const key = `${backend}/${server}`;
    const counts = areCountsNew ? this.#options.counts.of(backend, server) : undefined;
    if (counts === undefined) return { latencies, failures, lost: 0, open: undefined };
    const before = this.#lost.get(key) ?? counts.lost;
    this.#lost.set(key, counts.lost);
    return { latencies, failures, lost: Math.max(0, counts.lost - before), open: counts.open };
  }

  /** Nobody knows how servers answer: each gets its own weight. */
  #letGo(): void {
    for (const steered of this.#backends.values()) steered.state = new Map();
    this.#heard.clear();
    this.#settle();
  }

  #settle(): void {
    const changes = this.#weigh();
    if (changes === 0) return;
    this.#options.metrics.changed(changes);
    this.#wake();
  }

  /** Brings the weights up to date with the factors; answers with how many changed. */
  #weigh(): number {
    let changes = 0;
    for (const steered of this.#backends.values()) {
      const { sections, state } = steered;
      const weights = new Map<string, number>();
      for (const server of sections.backend.servers) {
        const { factor } = state.get(server.name) ?? unsteered;
        const own = server.weight ?? 1;
        const weight = steeredWeight(own, factor);
        if (!server.disabled) this.#options.metrics.factor(ownerOf(sections.service), server.name, factor);
        if (weight !== own) weights.set(server.name, weight);
      }
      const names = new Set([...weights.keys(), ...steered.weights.keys()]);
      const changed = [...names].filter((name) => weights.get(name) !== steered.weights.get(name)).length;
      // Values: a backend whose weights are as before has the same map.
      if (changed > 0) steered.weights = weights;
      changes += changed;
    }
    this.#weights = new Map([...this.#backends].map(([name, { weights }]) => [name, weights]));
    return changes;
  }

  /**
   * The weights that differ from the servers' own in the file. Of a backend that is seen for the first time, those
   * that run are where it goes on from, as far as `loaded` says that its weights were steered before.
   */
  weights(loaded: DesiredState, observed: ObservedState): SteeredWeights {
    if (this.#backends.size === 0) return none;
    let isNew = false;
    const before = new Map(loaded.services.map((sections) => [sections.backend.name, sections]));
    for (const [backend, steered] of this.#backends) {
      const running = observed.backends.get(backend);
      if (steered.isBegun || running === undefined) continue;
      steered.isBegun = true;
      const sections = before.get(backend);
      if (steered.state.size > 0 || sections === undefined || !isSteered(sections)) continue;
      steered.state = new Map(
        steered.sections.backend.servers.flatMap(({ name, weight: own = 1 }) => {
          const now = running.get(name)?.weight ?? own;
          if (now >= own || now === 0) return [];
          const factor = Math.max(defaultController.floor, now / own);
          return [[name, { ...unsteered, aim: factor, factor, reason: 'as before synapse was started' }]];
        }),
      );
      isNew ||= steered.state.size > 0;
    }
    if (isNew) this.#weigh();
    return this.#weights;
  }

  /** Why a server has the weight that it has; undefined where that is its own. */
  explain(backend: string, server: string): { readonly factor: number; readonly reason: string } | undefined {
    const known = this.#backends.get(backend)?.state.get(server);
    return known === undefined || known.factor === 1 ? undefined : known;
  }

  /** For the status: by backend, the factors that are not 1. */
  status(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(
      [...this.#backends].map(([backend, { state }]) => [
        backend,
        Object.fromEntries(
          [...state].flatMap(([server, { factor, reason }]) =>
            factor === 1 ? [] : [[server, { factor: Number(factor.toFixed(3)), reason }]],
          ),
        ),
      ]),
    );
  }
}

/** Servers that are to take requests. */
function takers(servers: readonly Server[]): readonly string[] {
  return servers.filter(({ disabled, weight }) => !disabled && weight !== 0).map(({ name }) => name);
}
