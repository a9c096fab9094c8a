import { type Clock, sleepWith, type Timer } from '../clock.js';

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Lets every already queued promise continuation run, however deeply they chain. */
async function drainMicrotasks(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

/** A clock that moves only when told to. Timers fire in order of time, then of creation. */
export class FakeClock implements Clock {
  #now: number;
  #monotonic = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(startMs = 1_700_000_000_000) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  /** Number of timers waiting; lets a test assert that nothing was left behind. */
  get pending(): number {
    return this.#pending.size;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const entry = { at: this.#monotonic + Math.max(0, delayMs), order: this.#order++, callback };
    this.#pending.add(entry);
    return { cancel: () => void this.#pending.delete(entry) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepWith((callback, ms) => this.setTimeout(callback, ms), delayMs, signal);
  }

  /** Sets the wall clock without moving monotonic time, as an operator or NTP does. */
  jumpWallClock(deltaMs: number): void {
    this.#now += deltaMs;
  }

  /** Moves time on by `ms`, firing due timers one by one and letting promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await drainMicrotasks();
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#moveTo(next.at);
      this.#pending.delete(next);
      next.callback();
      await drainMicrotasks();
    }
    this.#moveTo(end);
  }

  #moveTo(monotonic: number): void {
    this.#now += monotonic - this.#monotonic;
    this.#monotonic = monotonic;
  }

  #next(end: number): Pending | undefined {
    let first: Pending | undefined;
    for (const entry of this.#pending) {
      if (entry.at > end) continue;
      if (!first || entry.at < first.at || (entry.at === first.at && entry.order < first.order))
        first = entry;
    }
    return first;
  }
}
