import type { Clock } from '@smartstack/agent';

import type { Catalog, CatalogStatus } from '../catalog/catalog.js';
import type { Generator } from '../catalog/types.js';
import type { DiscoveryOptions } from '../config/service.js';
import type { ServiceSet } from '../services.js';
import { type Evidence, explain, subjects } from './explain.js';
import { serverLines, serviceLine } from './lines.js';
import { partPlaces, placeOf } from './place.js';
import type { Explanation, PlanAnswer, ServerLine, ServiceLine } from './shapes.js';

/** Where explanations come from. */
export interface ExplainerOptions<D extends DiscoveryOptions> {
  readonly catalog: Catalog;
  readonly services: ServiceSet<D>;
  readonly generators: ReadonlyMap<string, Generator>;
  readonly clock: Clock;
}

/** For all that one question asks of consumers, in milliseconds. */
const patienceMs = 8_000;

/** Says why services and servers are as they are. Asks the consumers, and changes nothing. */
export class Explainer<D extends DiscoveryOptions> {
  readonly #options: ExplainerOptions<D>;

  constructor(options: ExplainerOptions<D>) {
    this.#options = options;
  }

  /** Undefined for a service that does not exist. */
  async explain(service: string): Promise<Explanation | undefined> {
    const [found] = await this.#explain(this.#status().filter(({ name }) => name === service));
    return found?.explanation;
  }

  /** All services, each in a line. */
  async services(): Promise<readonly ServiceLine[]> {
    const all = await this.#explain(this.#status());
    return all.map(({ status, explanation }) => serviceLine(status, explanation));
  }

  /** The servers of all services. */
  async servers(): Promise<readonly ServerLine[]> {
    const all = await this.#explain(this.#status());
    return all.flatMap(({ explanation }) => serverLines(explanation));
  }

  /** What the generators would do now. */
  plan(): Promise<PlanAnswer> {
    const { catalog, generators, clock } = this.#options;
    const { view, waiting } = catalog.read(clock.monotonic());
    return this.#within(async (signal) => ({
      generators: await Promise.all(
        [...generators].flatMap(([generator, each]) => {
          const plan = each.plan?.(view, signal);
          return plan === undefined ? [] : [plan.then((value) => ({ generator, ...value }))];
        }),
      ),
      waitingFor: waiting,
    }));
  }

  #status(): readonly CatalogStatus[] {
    const { catalog, clock } = this.#options;
    return catalog.status(clock.monotonic());
  }

  async #within<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController();
    const timer = this.#options.clock.setTimeout(() => late.abort(), patienceMs);
    try {
      return await work(late.signal);
    } finally {
      timer.cancel();
    }
  }

  #evidence({ name, staleMs, problems }: CatalogStatus): Evidence | undefined {
    const { catalog, services, clock } = this.#options;
    const ingredients = catalog.ingredients(name);
    const source = services.trace(name);
    if (ingredients === undefined || source === undefined) return undefined;
    return {
      ...{ service: name, staleMs, problems, generators: [], now: clock.now() },
      ...{ snapshot: ingredients.snapshot, known: ingredients.known, rules: ingredients.rules },
      ...{ entries: source.entries, origins: source.origins, arrivals: source.arrivals },
      ...{ place: placeOf(source.discovery), partPlaces: partPlaces(source.discovery) },
    };
  }

  async #explain(
    all: readonly CatalogStatus[],
  ): Promise<readonly { readonly status: CatalogStatus; readonly explanation: Explanation }[]> {
    const known = all.flatMap((status) => {
      const evidence = this.#evidence(status);
      return evidence === undefined ? [] : [{ status, evidence }];
    });
    const asked = known.map(({ evidence }) => ({
      service: evidence.service,
      instances: subjects(evidence),
    }));
    const traces = await this.#within((signal) =>
      Promise.all(
        [...this.#options.generators].flatMap(([name, generator]) => {
          const found = generator.trace?.(asked, signal);
          return found === undefined ? [] : [found.then((each) => ({ name, each }))];
        }),
      ),
    );
    return known.map(({ status, evidence }, index) => {
      const generators = traces.flatMap(({ name, each }) => {
        const trace = each[index];
        return trace === undefined ? [] : [{ name, trace }];
      });
      return { status, explanation: explain({ ...evidence, generators }) };
    });
  }
}
