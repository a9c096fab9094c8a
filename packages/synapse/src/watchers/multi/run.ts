import { describeError, run, type Timer, untilAborted } from '@smartstack/agent';

import type { LabelFilter } from '../../catalog/definition.js';
import { filterByLabels } from '../../catalog/select.js';
import type { Snapshot, SnapshotPart, SourceProblem, Watcher } from '../../catalog/types.js';
import type { Resolver } from '../../resolvers/index.js';
import type { Resolution, ResolverInput, Weights } from '../../resolvers/types.js';
import { supervise } from '../supervise.js';
import type { WatcherContext } from '../types.js';
import { describePlace, followWeights } from './weights.js';

export interface MultiRunOptions {
  /** By name, in their order. */
  readonly watchers: ReadonlyMap<
    string,
    {
      readonly create: (context: WatcherContext) => Watcher;
      readonly labelFilters: readonly LabelFilter[];
    }
  >;
  readonly resolver: Resolver;
  /** The name of this machine. */
  readonly host: string;
  readonly context: WatcherContext;
}

const usualPatienceMs = 5_000;

/** A service is decided on before the catalog goes on without it. */
const patienceShare = 0.8;

/** Runs several watchers until `signal` aborts, and emits what the resolver makes of their latest snapshots. */
export async function runMulti(
  options: MultiRunOptions,
  emit: (snapshot: Snapshot) => void,
  signal: AbortSignal,
): Promise<void> {
  const multi = new MultiRun(options, emit);
  try {
    await multi.run(signal);
  } finally {
    multi.dispose();
  }
}

interface Part {
  snapshot: Snapshot;
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
    const fresh = (): Part => ({ snapshot: { status: 'pending' }, waitedFor: true, timer: undefined });
    this.#parts = new Map([...watchers.keys()].map((name) => [name, fresh()]));
  }

  async run(signal: AbortSignal): Promise<void> {
    const { watchers, resolver, context } = this.#options;
    const { clock, logger, patienceMs = usualPatienceMs } = context;
    const decisionMs = patienceMs * patienceShare;
    for (const part of this.#parts.values()) this.#limit(part, decisionMs);
    this.#weightsTimer = clock.setTimeout(() => {
      this.#waitsForWeights = false;
      this.#decide();
    }, decisionMs);
    const tasks = [...watchers].map(([name, { create, labelFilters }]) => (inner: AbortSignal) => {
      const child = { ...context, logger: logger.child({ watcher: name }) };
      const take = (snapshot: Snapshot): void => this.#take(name, filtered(snapshot, labelFilters));
      return supervise({ create: () => create(child), emit: take, clock, logger: child.logger }, inner);
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
          { place, watchers: names, context: this.#options.context },
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

  #take(name: string, snapshot: Snapshot): void {
    const part = this.#parts.get(name);
    // One that knows nothing any more knew something before: that stays.
    if (part === undefined || snapshot.status === 'pending') return;
    const before = part.snapshot.status;
    part.snapshot = snapshot;
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
    const { context } = this.#options;
    const resolution = this.#resolve({
      sources: [...this.#parts].map(([name, { snapshot, waitedFor }]) => ({ name, snapshot, waitedFor })),
      weights: this.#weights,
      waitsForWeights: this.#waitsForWeights,
      seed: this.#seed,
    });
    const before = this.#last;
    if (resolution.kind === 'resolved') this.#last = resolution;
    const used = this.#last?.used ?? [];
    if (before !== undefined && before.used.join('\n') !== used.join('\n'))
      context.logger.info('the service has its instances from other watchers now', {
        watchers: used,
        before: before.used,
      });
    const parts = this.#status(used);
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

  #status(used: readonly string[]): readonly SnapshotPart[] {
    return [...this.#parts].map(([name, { snapshot }]) => ({
      name,
      status: snapshot.status,
      instances: snapshot.status === 'pending' ? 0 : snapshot.instances.length,
      used: used.includes(name),
    }));
  }

  #problems(): readonly SourceProblem[] {
    const ofParts = [...this.#parts.values()].flatMap(({ snapshot }) =>
      snapshot.status === 'pending' ? [] : (snapshot.problems ?? []),
    );
    const own = [this.#weightsProblem, this.#resolverProblem].filter((one) => one !== undefined);
    return [...own, ...ofParts];
  }
}

function filtered(snapshot: Snapshot, filters: readonly LabelFilter[]): Snapshot {
  if (snapshot.status === 'pending' || filters.length === 0) return snapshot;
  return { ...snapshot, instances: filterByLabels(snapshot.instances, filters) };
}
