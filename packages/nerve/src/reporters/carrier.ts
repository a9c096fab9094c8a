import { isDeepStrictEqual } from 'node:util';
import { Backoff, type Clock, describeError, type Logger, type Timer } from '@smartstack/agent';
import type { PlainState } from './reporter.js';

export interface CarrierOptions<T> {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /**
   * Makes the registry hold what is wanted, and nothing else of ours, whatever it holds now. Resolves with where it
   * stands. Never called twice at once. It calls `begun` when whatever it had to wait for of ours is over.
   */
  readonly carry: (wanted: T | undefined, begun: () => void) => Promise<string | undefined>;
  /** Look again so long after it was found right, in milliseconds; undefined: only when told to. */
  readonly renewMs?: () => number | undefined;
}

/** A registry that takes longer is told of, and still waited for, in milliseconds: with its queue, and without. */
const [queueMs, patienceMs] = [30_000, 5_000];

/**
 * Keeps one registration as wanted, whatever happens to it: carries it to the registry, tries again with back-off
 * while that fails, and looks again when told that something may have changed.
 */
export class Carrier<T> {
  readonly #options: CarrierOptions<T>;
  readonly #backoff: Backoff;
  readonly #listeners = new Set<() => void>();
  #wanted: T | undefined;
  #state: PlainState = { kind: 'absent' };
  /** Goes up with everything that asks for a look; the registry is as of `#done`. */
  #asked = 0;
  #done = 0;
  #busy = false;
  #failing = false;
  #timer: Timer | undefined;
  /** Runs while the registry is asked. */
  #patience: Timer | undefined;
  #disposed = false;

  constructor(options: CarrierOptions<T>) {
    this.#options = options;
    this.#backoff = new Backoff({ minMs: 50, maxMs: 5_000, random: options.random });
  }

  get state(): PlainState {
    return this.#state;
  }

  /** True while the last attempt failed. */
  get failing(): boolean {
    return this.#failing;
  }

  /** Sets what the registry should hold. Returns at once. */
  want(wanted: T | undefined): void {
    const same = isDeepStrictEqual(wanted, this.#wanted);
    this.#wanted = wanted;
    this.again();
    // What stands already is looked at, and shows no gap meanwhile.
    if (this.#state.kind === (wanted === undefined ? 'absent' : 'present') && (same || wanted === undefined))
      return;
    this.#enter({ kind: 'pending', since: this.#options.clock.now() });
  }

  /** What was wanted may not be there any more: looks, without delay. */
  again(why?: string): void {
    this.#asked += 1;
    if (why !== undefined && this.#state.kind === 'present')
      this.#enter({ kind: 'pending', since: this.#options.clock.now(), error: why });
    this.#backoff.reset();
    this.#start();
  }

  /** Resolves when the registry holds what was wanted last; rejects when `signal` aborts. */
  async settled(signal: AbortSignal): Promise<void> {
    let forget = (): void => undefined;
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error);
      const look = (): void => {
        if (!this.#busy && this.#done === this.#asked && !this.#failing) resolve();
      };
      const stop = this.onChange(look);
      signal.addEventListener('abort', abort, { once: true });
      forget = () => {
        stop();
        signal.removeEventListener('abort', abort);
      };
      if (signal.aborted) abort();
      look();
    }).finally(() => forget());
  }

  /** Calls `listener` after every change and every attempt. Returns how to stop that. */
  onChange(listener: () => void): () => void {
    const entry = (): void => listener();
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** Carries nothing any more; what is under way may still come to an end. */
  dispose(): void {
    this.#disposed = true;
    this.#timer?.cancel();
    this.#patience?.cancel();
  }

  #start(): void {
    if (this.#busy || this.#disposed) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#busy = true;
    // It catches whatever the registry throws; what is left would be a bug of a listener.
    this.#turn().catch((error: unknown) => {
      this.#options.logger.error('a listener failed', { error: describeError(error) });
    });
  }

  async #turn(): Promise<void> {
    const asked = this.#asked;
    const wanted = this.#wanted;
    let pauseMs: number | undefined;
    const limit = (ms: number): void => {
      this.#patience?.cancel();
      if (!this.#disposed)
        this.#patience = this.#options.clock.setTimeout(
          () => this.#failed('the registry does not answer'),
          ms,
        );
    };
    limit(queueMs);
    try {
      const place = await this.#options.carry(wanted, () => limit(patienceMs));
      this.#succeeded(asked, wanted, place);
      pauseMs = wanted === undefined ? undefined : this.#options.renewMs?.();
    } catch (error) {
      this.#failed(describeError(error));
      // As often as when all is well: what stands there may have to be renewed all the same.
      pauseMs = Math.min(this.#backoff.next(), this.#options.renewMs?.() ?? Infinity);
    }
    this.#patience?.cancel();
    this.#busy = false;
    if (asked !== this.#asked) this.#start();
    else if (pauseMs !== undefined && !this.#disposed)
      this.#timer = this.#options.clock.setTimeout(() => this.#start(), pauseMs);
    this.#emit();
  }

  #succeeded(asked: number, wanted: T | undefined, place: string | undefined): void {
    const { clock, logger } = this.#options;
    this.#backoff.reset();
    if (this.#failing) logger.info('the registry takes the registration again');
    this.#failing = false;
    this.#done = asked;
    if (asked !== this.#asked) return;
    const state = this.#state;
    if (wanted === undefined || place === undefined) this.#enter({ kind: 'absent' });
    else if (state.kind !== 'present' || state.place !== place)
      this.#enter({ kind: 'present', place, since: clock.now() });
  }

  #failed(error: string): void {
    const { clock, logger } = this.#options;
    if (!this.#failing && !this.#disposed)
      logger.warn('the registry does not take the registration', { error });
    this.#failing = true;
    const since = this.#state.kind === 'pending' ? this.#state.since : clock.now();
    this.#enter({ kind: 'pending', since, error });
  }

  #enter(state: PlainState): void {
    this.#state = state;
    this.#emit();
  }

  #emit(): void {
    for (const listener of [...this.#listeners]) if (this.#listeners.has(listener)) listener();
  }
}
