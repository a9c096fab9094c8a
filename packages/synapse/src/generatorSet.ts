import { isDeepStrictEqual } from 'node:util';

import {
  Backoff,
  type Clock,
  describeError,
  type HealthReport,
  type Logger,
  type Metrics,
  type Task,
} from '@smartstack/agent';

import type { Catalog } from './catalog/catalog.js';
import type { Generator } from './catalog/types.js';
import type { AgentSettings } from './config/agentFile.js';
import type { GeneratorTable } from './generators/types.js';
import type { ReconcileMetrics } from './metrics.js';
import { ReconcileLoop } from './reconcile.js';
import type { StatsdEvents } from './statsdEvents.js';

export interface GeneratorSetOptions {
  readonly table: GeneratorTable;
  /** The top-level block of each generator that runs, in order. */
  readonly blocks: ReadonlyMap<string, unknown>;
  readonly catalog: Catalog;
  readonly settings: Pick<AgentSettings, 'holdoffMs' | 'holdoffMaxMs' | 'resyncMs' | 'location' | 'traffic'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly passes: ReconcileMetrics;
  readonly events?: StatsdEvents;
}

/** Bounds of the retries of a generator, and when a pass counts as stuck, in milliseconds. */
const timing = { retryMinMs: 100, retryMaxMs: 15_000, stuckMs: 120_000 };
/** Waits before the background work of a generator begins again after it failed, in milliseconds. */
const restart = { minMs: 1_000, maxMs: 60_000 };

interface Member {
  readonly generator: Generator;
  readonly loop: ReconcileLoop;
}

/** The generators, each with a loop of its own: what one cannot do, or how long it takes, is nothing to the others. */
export class GeneratorSet {
  readonly #options: GeneratorSetOptions;
  readonly #members: ReadonlyMap<string, Member>;
  readonly #started: Promise<void>;
  #blocks: ReadonlyMap<string, unknown>;

  constructor(options: GeneratorSetOptions) {
    const { table, blocks, settings, clock, logger, metrics, events } = options;
    const { location, traffic } = settings;
    this.#options = options;
    this.#blocks = blocks;
    const passed: Promise<void>[] = [];
    this.#members = new Map(
      [...blocks].flatMap(([name, block]): [string, Member][] => {
        const log = logger.child({ component: name });
        const context = { clock, logger: log, metrics, location, traffic, ...(events && { events }) };
        const generator = table.get(name)?.create(block, context);
        if (generator === undefined) return [];
        let onPassed = (): void => undefined;
        passed.push(new Promise((resolve) => (onPassed = resolve)));
        return [[name, { generator, loop: this.#createLoop(generator, () => onPassed()) }]];
      }),
    );
    this.#started = Promise.all(passed).then(() => undefined);
  }

  /** Resolves when each generator made its first pass, whether it succeeded or not. */
  get started(): Promise<void> {
    return this.#started;
  }

  get names(): readonly string[] {
    return [...this.#members.keys()];
  }

  get byName(): ReadonlyMap<string, Generator> {
    return new Map(this.#all.map(({ generator }) => [generator.name, generator]));
  }

  /** To run at the same time, until their signal aborts. */
  get tasks(): readonly Task[] {
    return this.#all.flatMap((member) => [
      (signal) => member.loop.run(signal),
      (signal) => this.#supervise(member, signal),
    ]);
  }

  /** Something may have changed: each looks again. */
  trigger(): void {
    for (const { loop } of this.#all) loop.trigger();
  }

  /** A change is likely to be known within milliseconds. */
  expect(): void {
    for (const { generator } of this.#all) generator.expect?.();
  }

  /** Takes the blocks of a new configuration. Which generators there are is settled at the start. */
  configure(blocks: ReadonlyMap<string, unknown>): void {
    const { logger } = this.#options;
    for (const [name, block] of blocks) {
      const generator = this.#members.get(name)?.generator;
      if (generator === undefined)
        logger.warn('a new generator needs a restart of synapse', { generator: name });
      else if (!isDeepStrictEqual(this.#blocks.get(name), block)) generator.configure(block);
    }
    for (const name of this.#members.keys())
      if (!blocks.has(name))
        logger.warn('a generator that is gone needs a restart of synapse', { generator: name });
    this.#blocks = blocks;
  }

  /** Resolves when everything known by now is carried out by every generator. */
  async settled(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#all.map(({ loop }) => loop.settled(signal)));
  }

  /** Whether all loops move on, however they fare. */
  health(): HealthReport {
    const stuck = this.#all.filter(({ loop }) => !loop.progresses()).map(({ generator }) => generator.name);
    return { ok: stuck.length === 0, stuck };
  }

  /** Whether all are in step with what is known. */
  ready(): HealthReport {
    const behind = this.#all
      .map(({ loop }) => loop.status)
      .filter(({ outcome, lastSuccessAt }) => lastSuccessAt === undefined || outcome === 'failed')
      .map(({ generator, error, waitingFor }) => ({ generator, error, waitingFor }));
    return { ok: behind.length === 0, behind };
  }

  /** Each for `/status`. */
  status(): readonly unknown[] {
    return this.#all.map(({ generator, loop }) => ({ ...loop.status, details: generator.status() }));
  }

  get #all(): readonly Member[] {
    return [...this.#members.values()];
  }

  #createLoop(generator: Generator, onPassed: () => void): ReconcileLoop {
    const { catalog, settings, clock, logger, passes, events } = this.#options;
    const { holdoffMs, holdoffMaxMs, resyncMs } = settings;
    return new ReconcileLoop({
      generator,
      read: () => catalog.read(clock.monotonic()),
      isWaiting: () => catalog.isWaiting(clock.monotonic()),
      onActed: (view) => catalog.introduce(view),
      timing: { ...timing, holdoffMs, holdoffMaxMs, resyncMs },
      clock,
      logger: logger.child({ component: 'reconcile', generator: generator.name }),
      metrics: {
        passed: (...pass) => {
          passes.passed(...pass);
          if (pass[1] === 'failed') events?.configFailed(generator.name);
          onPassed();
        },
      },
    });
  }

  /** Background work that throws or returns has a bug. It must not take the other generators with it. */
  async #supervise({ generator, loop }: Member, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    const log = logger.child({ component: generator.name });
    const backoff = new Backoff(restart);
    const wake = (): void => loop.trigger();
    const stopped = (): boolean => signal.aborted;
    while (!stopped()) {
      try {
        await generator.run(wake, signal);
        if (!stopped()) log.error('a generator ended by itself, starting it again');
      } catch (error) {
        if (stopped()) return;
        const text = error instanceof Error ? error.stack : describeError(error);
        log.error('a generator failed, starting it again', { error: text });
      }
      if (!stopped()) await clock.sleep(backoff.next(), signal).catch(() => undefined);
    }
  }
}
