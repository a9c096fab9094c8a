import { type Clock, describeError, type Logger } from '@smartstack/agent';
import type { BeliefStore } from '../loaded/beliefStore.js';
import type { OwnStart } from '../process/ownStart.js';
import type { ConfigKeeper } from './configKeeper.js';
import type { Kept } from './keeping.js';
import type { SharedLines } from './quarantineStore.js';
import type { DesiredState } from '../types.js';

/** What the file should hold, before anything is held back. */
export interface FileWish {
  readonly desired: DesiredState;
  readonly shared: SharedLines;
  /** It stands in for what is wanted, which cannot be had now: what is held back of that stays held. */
  readonly isStandIn?: boolean;
  /** All of its servers run: HAProxy took each line of a new one. */
  readonly isRunning?: boolean;
}

/** What following needs. */
export interface FileFollowerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly keeper: ConfigKeeper;
  readonly beliefs: BeliefStore;
  readonly ownStart: Pick<OwnStart, 'agoMs'>;
  /** Ports that HAProxy listens on now; undefined while that is not known. */
  readonly boundPorts: () => ReadonlySet<number> | undefined;
  /** Asks for a pass: something was held back, or the file could not be kept. */
  readonly wake: () => void;
}

/**
 * Following takes at most this share of the time: of a large configuration each check costs as much as dozens
 * of changes, and of wishes that come meanwhile only the last counts.
 */
const restPerWork = 4;
/** And writes at most so many bytes in a millisecond: a megabyte a second. */
const bytesPerMs = 1_000;
/** However large it is, the file is never further behind than this, in milliseconds, and the time that the check takes. */
const maxRestMs = 5_000;

/** The check keeps a core busy: right after a change that core is HAProxy's, for whoever waits for the new server. */
const beforeMs = 100;
/** A check that is due and could not be made is tried again after so long. */
const leastCheckMs = 10_000;
/** After a start that stood for a check, a check only has warnings to tell: whoever waits for routes comes first. */
const afterStartMs = 3_000;

/** Keeps haproxy.cfg, and what synapse knows of it, in step with what runs: in the background, at a bounded pace. */
export class FileFollower {
  readonly #options: FileFollowerOptions;
  #next: FileWish | undefined;
  #following: Promise<void> | undefined;
  #hurry = new AbortController();
  /** The file is to be checked once more then, as the wish that it follows. */
  #owed: { readonly wish: FileWish; cancel(): void } | undefined;
  #isEnding = false;
  #problem: string | undefined;
  #told: string | undefined;

  constructor(options: FileFollowerOptions) {
    this.#options = options;
  }

  /** Why the file could not be kept in step; undefined when it is, or is about to be. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Resolves when nothing is being checked or written any more. What waits for its turn has it now. */
  async idle(): Promise<void> {
    while (this.#following !== undefined) {
      this.#hurry.abort();
      await this.#following;
    }
    this.#isEnding = true;
    // Nobody would check it before we come back.
    if (this.#owed !== undefined) await this.#followOne(this.#owed.wish);
  }

  /**
   * Brings the file up to date now; wishes that still wait are older, and void. Throws AgentError when it cannot be
   * written or nobody can check it.
   */
  follow(wish: FileWish, signal?: AbortSignal): Promise<Kept> {
    this.#next = undefined;
    return this.#keep(wish, false, signal);
  }

  async #keep(wish: FileWish, mayWait: boolean, signal?: AbortSignal): Promise<Kept> {
    const { keeper, boundPorts } = this.#options;
    this.#owed?.cancel();
    this.#owed = undefined;
    try {
      const kept = await keeper.keep(wish.desired, wish.shared, {
        ...{ signal, boundPorts, isStandIn: wish.isStandIn, mayWait },
      });
      this.#problem = undefined;
      return kept;
    } catch (error) {
      this.#problem = describeError(error);
      throw error;
    } finally {
      this.#checkLater(wish);
    }
  }

  #checkLater(wish: FileWish): void {
    const { keeper, clock } = this.#options;
    const dueInMs = keeper.checkDueInMs;
    if (dueInMs === undefined || this.#isEnding) return;
    const timer = clock.setTimeout(
      () => this.followSoon(this.#next ?? wish),
      Math.max(leastCheckMs, dueInMs),
    );
    this.#owed = { wish, cancel: () => timer.cancel() };
  }

  /** Whether it can be checked later what its servers' lines are. */
  #mayWait({ isRunning, isStandIn }: FileWish): boolean {
    if (this.#isEnding || isStandIn === true) return false;
    return isRunning === true && (this.#options.keeper.checkDueInMs ?? Infinity) > 0;
  }

  /** Brings the file up to date without anybody waiting; of several wishes the last counts. */
  followSoon(wish: FileWish): void {
    this.#next = wish;
    this.#following ??= this.#run().finally(() => (this.#following = undefined));
  }

  async #run(): Promise<void> {
    const { clock, ownStart, keeper } = this.#options;
    this.#hurry = new AbortController();
    const restMs = Math.max(beforeMs, afterStartMs - ownStart.agoMs);
    await clock.sleep(restMs, this.#hurry.signal).catch(() => undefined);
    for (let wish = this.#next; wish !== undefined; wish = this.#next) {
      this.#next = undefined;
      const startedAt = clock.monotonic();
      await this.#followOne(wish);
      const tookMs = clock.monotonic() - startedAt;
      const restMs = Math.min(maxRestMs, Math.max(tookMs * restPerWork, keeper.fileBytes / bytesPerMs));
      // Also when nothing waits yet: the next wish is to find us resting, not idle.
      if (restMs >= 1) await clock.sleep(restMs, this.#hurry.signal).catch(() => undefined);
    }
  }

  async #followOne(wish: FileWish): Promise<void> {
    const { keeper, beliefs, logger, wake } = this.#options;
    const { revision } = keeper.quarantine;
    try {
      await this.#keep(wish, this.#mayWait(wish));
      await beliefs.save();
      this.#told = undefined;
      if (keeper.quarantine.revision !== revision) wake();
    } catch (error) {
      const problem = describeError(error);
      // A disk that stays full is one event, not one for each change.
      logger[problem === this.#told ? 'debug' : 'warn']('haproxy.cfg could not be kept in step', { problem });
      this.#told = problem;
      wake();
    }
  }
}
