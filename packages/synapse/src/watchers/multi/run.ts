import { describeError, run, type Timer, untilAborted } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';

import type { LabelFilter } from '../../catalog/definition.js';
import { filterByLabels, identityOf } from '../../catalog/select.js';
import type { Snapshot, SnapshotPart, SourceEntry, SourceProblem, Watcher } from '../../catalog/types.js';
import type { Resolver } from '../../resolvers/index.js';
import type { Resolution, ResolverInput, ResolverSource, Weights } from '../../resolvers/types.js';
import { supervise } from '../supervise.js';
import type { WatcherContext } from '../types.js';
import { describePlace, followWeights } from './weights.js';

/** One of the watchers, and whom of it the service wants. */
interface OneWatcher {
  readonly create: (context: WatcherContext) => Watcher;
  readonly labelFilters: readonly LabelFilter[];
}

interface MultiRunOptions {
  /** By name, in their order. */
  readonly watchers: ReadonlyMap<string, OneWatcher>;
  readonly resolver: Resolver;
  /** The name of this machine. */
  readonly host: string;
  readonly context: WatcherContext;
}

const usualPatienceMs = 5_000;

/** A service is decided on before the catalog goes on without it. */
const patienceShare = 0.8;

/**
 * A watcher of several: it emits what the resolver makes of their latest snapshots. What vanishes from one of them, or
 * from all together, is held as the service wishes; what the resolver leaves out is not.
 */
export function createMulti(options: Omit<MultiRunOptions, 'context'>, context: WatcherContext): Watcher {
  let running: MultiRun | undefined;
  const whole: Watcher = {
    entries: () => running?.entries() ?? [],
    origins: () => running?.origins() ?? new Map<string, string>(),
    run: async (emit, signal) => {
      running = new MultiRun({ ...options, context }, emit);
      context.events?.multiStarted();
      try {
        await running.run(signal);
      } finally {
        running.dispose();
        context.events?.multiStopped();
      }
    },
  };
  return options.resolver.takesAll ? context.protect(whole) : whole;
}

interface Part {
  readonly kind: OneWatcher;
  snapshot: Snapshot;
  /** The last that were told: a source that is empty now had them before. */
  previous: readonly Instance[];
  watcher: Watcher | undefined;
  waitedFor: boolean;
  timer: Timer | undefined;
}

class MultiRun {
  readonly #options: MultiRunOptions;
  readonly #emit: (snapshot: Snapshot) => void;
  readonly #parts: ReadonlyMap<string, Part>;
  readonly #seed: string;
  #weights: Weights | undefined;
  #waitsForWeights: boolean;
  #weightsProblem: SourceProblem | undefined;
  #resolverProblem: SourceProblem | undefined;
  #weightsTimer: Timer | undefined;
  #last: Extract<Resolution, { kind: 'resolved' }> | undefined;

  constructor(options: MultiRunOptions, emit: (snapshot: Snapshot) => void) {
    const { watchers, resolver, host } = options;
    this.#options = options;
    this.#emit = emit;
    this.#waitsForWeights = resolver.weights !== undefined;
    this.#seed = JSON.stringify([host, resolver.weights && describePlace(resolver.weights)]);
    this.#parts = new Map(
      [...watchers].map(([name, kind]): [string, Part] => [
        name,
        {
          ...{ kind, snapshot: { status: 'pending' }, previous: [], watcher: undefined },
          ...{ waitedFor: true, timer: undefined },
        },
      ]),
    );
  }

  async run(signal: AbortSignal): Promise<void> {
    const { resolver, context } = this.#options;
    const { clock, logger, patienceMs = usualPatienceMs } = context;
    const decisionMs = patienceMs * patienceShare;
    for (const part of this.#parts.values()) this.#limit(part, decisionMs);
    this.#weightsTimer = clock.setTimeout(() => {
      this.#waitsForWeights = false;
      this.#decide();
    }, decisionMs);
    const tasks = [...this.#parts].map(([name, part]) => (inner: AbortSignal) => {
      const child = { ...context, logger: logger.child({ watcher: name }) };
      return supervise(
        {
          create: () => (part.watcher = part.kind.create(child)),
          emit: (snapshot) => this.#take(part, filtered(snapshot, part.kind.labelFilters)),
          clock,
          logger: child.logger,
        },
        inner,
      );
    });
    await run([untilAborted, ...tasks, ...this.#followers(resolver)], signal);
  }

  dispose(): void {
    this.#weightsTimer?.cancel();
    for (const { timer } of this.#parts.values()) timer?.cancel();
  }

  #followers({ weights: place }: Resolver) {
    if (place === undefined) return [];
    const names = [...this.#parts.keys()];
    return [
      (signal: AbortSignal) =>
        followWeights(
          { place, watchers: names, seed: this.#seed, context: this.#options.context },
          ({ weights, problem }) => {
            this.#weights = weights;
            if (weights !== undefined) this.#waitsForWeights = false;
            this.#weightsProblem =
              problem === undefined ? undefined : { path: describePlace(place), reason: problem };
            this.#decide();
          },
          signal,
        ),
    ];
  }

  /** What the sources of all of them hold. */
  entries(): readonly SourceEntry[] {
    return [...this.#parts].flatMap(([name, { watcher }]) =>
      (watcher?.entries?.() ?? []).map((entry) => ({ ...entry, place: `${name}: ${entry.place}` })),
    );
  }

  /** From which of the watchers that are used each instance comes: the first that has it. */
  origins(): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const name of this.#last?.used ?? []) {
      const { snapshot, previous = [] } = this.#parts.get(name) ?? {};
      const told = snapshot === undefined || snapshot.status === 'pending' ? [] : snapshot.instances;
      for (const instance of told.length > 0 ? told : previous) {
        const key = identityOf(instance);
        if (!found.has(key)) found.set(key, name);
      }
    }
    return found;
  }

  #take(part: Part, snapshot: Snapshot): void {
    // One that knows nothing any more knew something before: that stays.
    if (snapshot.status === 'pending') return;
    const before = part.snapshot.status;
    part.snapshot = snapshot;
    if (snapshot.instances.length > 0) part.previous = snapshot.instances;
    if (snapshot.status === 'live' || before !== 'stale') {
      part.timer?.cancel();
      part.waitedFor = snapshot.status === 'stale' && this.#options.resolver.patienceMs > 0;
      if (part.waitedFor) this.#limit(part, this.#options.resolver.patienceMs);
    }
    this.#decide();
  }

  /** Waits for a watcher no longer than that, in milliseconds. */
  #limit(part: Part, limitMs: number): void {
    part.timer = this.#options.context.clock.setTimeout(() => {
      part.waitedFor = false;
      this.#decide();
    }, limitMs);
  }

  #decide(): void {
    const sources = this.#sources();
    const resolution = this.#resolve({
      sources,
      weights: this.#weights,
      waitsForWeights: this.#waitsForWeights,
      seed: this.#seed,
    });
    const before = this.#last;
    if (resolution.kind === 'resolved') this.#last = resolution;
    const used = this.#last?.used ?? [];
    this.#tellSwitch(used, before?.used);
    const parts = this.#status(used, sources);
    if (this.#last === undefined) {
      this.#emit({ status: 'pending', parts });
      return;
    }
    const problems = this.#problems();
    this.#emit({
      ...this.#last.snapshot,
      // What was decided before stays, but nobody says that it is still so.
      ...(resolution.kind === 'wait' && { status: 'stale' }),
      ...(problems.length > 0 && { problems }),
      parts,
    });
  }

  #tellSwitch(used: readonly string[], before: readonly string[] | undefined): void {
    const { context, resolver } = this.#options;
    // Ruby's begins with the first of its order.
    const [watcher] = used;
    if (resolver.first !== undefined && watcher !== undefined && watcher !== (before?.[0] ?? resolver.first))
      context.events?.resolverSwitched('sequential', { watcher });
    if (before === undefined || before.join('\n') === used.join('\n')) return;
    context.logger.info('the service has its instances from other watchers now', { watchers: used, before });
  }

  /**
   * Where all watchers count, an emptied one keeps what it had, as in Ruby, while another has instances: when none has,
   * the service's own fallback decides.
   */
  #sources(): readonly ResolverSource[] {
    const { resolver, context } = this.#options;
    const keeps =
      resolver.takesAll &&
      context.keepsPrevious?.() === true &&
      [...this.#parts.values()].some(({ snapshot }) => countOf(snapshot) > 0);
    return [...this.#parts].map(([name, { snapshot, previous, waitedFor }]) => {
      const stands = keeps && snapshot.status !== 'pending' && countOf(snapshot) === 0;
      return { name, waitedFor, snapshot: stands ? { ...snapshot, instances: previous } : snapshot };
    });
  }

  /** A resolver of a module may throw; what was decided before stays then. */
  #resolve(input: ResolverInput): Resolution {
    const { resolver, context } = this.#options;
    try {
      const resolution = resolver.resolve(input);
      this.#resolverProblem = undefined;
      return resolution;
    } catch (error) {
      const reason = describeError(error);
      if (this.#resolverProblem?.reason !== reason)
        context.logger.error('a resolver failed, what it decided last stays', { error: reason });
      this.#resolverProblem = { path: 'resolver', reason };
      return { kind: 'wait' };
    }
  }

  #status(used: readonly string[], sources: readonly ResolverSource[]): readonly SnapshotPart[] {
    return sources.map(({ name, snapshot }) => {
      const told = countOf(this.#parts.get(name)?.snapshot);
      return {
        name,
        status: snapshot.status,
        instances: told,
        previous: countOf(snapshot) - told,
        used: used.includes(name),
      };
    });
  }

  #problems(): readonly SourceProblem[] {
    const ofParts = [...this.#parts.values()].flatMap(({ snapshot }) =>
      snapshot.status === 'pending' ? [] : (snapshot.problems ?? []),
    );
    const own = [this.#weightsProblem, this.#resolverProblem].filter((one) => one !== undefined);
    return [...own, ...ofParts];
  }
}

function countOf(snapshot: Snapshot | undefined): number {
  return snapshot === undefined || snapshot.status === 'pending' ? 0 : snapshot.instances.length;
}

function filtered(snapshot: Snapshot, filters: readonly LabelFilter[]): Snapshot {
  if (snapshot.status === 'pending' || filters.length === 0) return snapshot;
  return { ...snapshot, instances: filterByLabels(snapshot.instances, filters) };
}
