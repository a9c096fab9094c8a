import { type Clock, describeError } from '@smartstack/agent';
import type { HostNumbers } from './answer.js';
import type { Heard } from './asker.js';

/** Asked at a time. */
const atOnce = 16;
/** In a round nobody is asked any more after so long: with the patience for one host, a round takes 3 s. */
const roundMs = 1_000;
/** Asked again no sooner, where it answered and where it did not; in milliseconds. */
const [freshMs, againMs] = [5_000, 15_000];
/** And no sooner than so long for each host that there is: asking one takes about 1 ms of CPU. */
const perHostMs = 10;
/** Numbers are no longer told when they are older by so much than they should be, in milliseconds. */
const goodMs = 25_000;
/** Nobody asked for so long: what is known is let go. */
const idleMs = 60_000;
/** What all answers that are kept come to. */
const maxBytes = 32 * 1024 * 1024;

/** What is known of an address. */
export interface Known {
  readonly numbers?: HostNumbers;
  /** When it told them; monotonic milliseconds. */
  readonly at?: number;
  /** Why there are none, or no later ones. */
  readonly problem?: string;
}

/** What asking many stands on. */
export interface FanOutOptions {
  /** Asks one; rejects with the reason where there is no answer. */
  readonly ask: (address: string, signal: AbortSignal) => Promise<Heard>;
  readonly clock: Clock;
}

interface Entry extends Known {
  readonly triedAt: number;
  readonly bytes: number;
}

/** How long what a host told is good, where there are so many; in milliseconds. */
function freshFor({ size }: ReadonlySet<string>): number {
  return Math.max(freshMs, size * perHostMs);
}

/** Asks many hosts, some at a time and none too often, however many ask us, and only when somebody does. */
export class FanOut {
  readonly #options: FanOutOptions;
  #known = new Map<string, Entry>();
  #round: Promise<void> | undefined;
  #forget: { cancel(): void } | undefined;

  constructor(options: FanOutOptions) {
    this.#options = options;
  }

  /** What these addresses told, by address; waits for those that are due, three seconds at most. Never rejects. */
  async current(addresses: ReadonlySet<string>, signal: AbortSignal): Promise<ReadonlyMap<string, Known>> {
    const { clock } = this.#options;
    if (signal.aborted) return new Map();
    this.#forgetLater(signal);
    for (const address of this.#known.keys()) if (!addresses.has(address)) this.#known.delete(address);
    this.#round ??= this.#ask(this.#due(addresses), signal).finally(() => (this.#round = undefined));
    await this.#round;
    const now = clock.monotonic();
    const oldestMs = 2 * freshFor(addresses) + goodMs - freshMs;
    return new Map(
      [...addresses].map((address): [string, Known] => {
        const known = this.#known.get(address);
        if (known === undefined) return [address, { problem: 'it was not asked yet' }];
        const { numbers, at = -Infinity, problem } = known;
        const isGood = numbers !== undefined && now - at < oldestMs;
        const why = problem ?? (isGood ? undefined : 'it was not asked again yet');
        return [address, { ...(isGood && { numbers, at }), ...(why !== undefined && { problem: why }) }];
      }),
    );
  }

  /** Who may be asked now: first those that answered last time, which strangers cannot, then who was asked longest ago. */
  #due(addresses: ReadonlySet<string>): string[] {
    const now = this.#options.clock.monotonic();
    const usualMs = freshFor(addresses);
    const rankOf = (address: string): readonly [number, number] => {
      const known = this.#known.get(address);
      return [known?.numbers === undefined ? 1 : 0, known?.triedAt ?? -Infinity];
    };
    return [...addresses]
      .filter((address) => {
        const known = this.#known.get(address);
        if (known === undefined) return true;
        return now - known.triedAt >= (known.problem === undefined ? usualMs : Math.max(againMs, usualMs));
      })
      .map((address) => ({ address, rank: rankOf(address) }))
      .sort((a, b) => a.rank[0] - b.rank[0] || (a.rank[1] < b.rank[1] ? -1 : a.rank[1] > b.rank[1] ? 1 : 0))
      .map(({ address }) => address);
  }

  async #ask(due: readonly string[], signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const until = clock.monotonic() + roundMs;
    const waiting = due.values();
    const worker = async (): Promise<void> => {
      for (const address of waiting) {
        await this.#askOne(address, signal);
        if (signal.aborted || clock.monotonic() >= until) return;
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, due.length) }, worker));
  }

  async #askOne(address: string, signal: AbortSignal): Promise<void> {
    const { ask, clock } = this.#options;
    const triedAt = clock.monotonic();
    try {
      const { numbers, bytes } = await ask(address, signal);
      this.#known.delete(address);
      let kept = bytes;
      for (const each of this.#known.values()) kept += each.bytes;
      if (kept > maxBytes) throw new Error('there are more numbers than are kept');
      this.#known.set(address, { numbers, at: clock.monotonic(), triedAt, bytes });
    } catch (error) {
      const before = this.#known.get(address);
      this.#known.set(address, { bytes: 0, ...before, triedAt, problem: describeError(error) });
    }
  }

  #forgetLater(signal: AbortSignal): void {
    this.#forget?.cancel();
    const forget = (): void => {
      this.#forget?.cancel();
      signal.removeEventListener('abort', forget);
      this.#known = new Map();
    };
    const timer = this.#options.clock.setTimeout(forget, idleMs);
    this.#forget = {
      cancel: () => {
        timer.cancel();
        signal.removeEventListener('abort', forget);
      },
    };
    signal.addEventListener('abort', forget, { once: true });
  }
}
