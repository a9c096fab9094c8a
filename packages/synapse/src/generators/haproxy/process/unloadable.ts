import { Backoff, type Clock } from '@smartstack/agent';
import { structureOf } from '../plan/planStructure.js';
import type { DesiredState } from '../types.js';

/** Bounds of the time until sections that could not be loaded are tried again, in milliseconds. */
const timing = { minMs: 2_000, maxMs: 60_000 };

/** Remembers which sections HAProxy could not load although their file passed every check. */
export class Unloadable {
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  #held: { readonly structure: string; readonly retryAt: number } | undefined;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#backoff = new Backoff({ ...timing, random });
  }

  /** True while there are any. */
  get exists(): boolean {
    return this.#held !== undefined;
  }

  /** These could not be loaded, once more. */
  note(desired: DesiredState): void {
    const retryAt = this.#clock.monotonic() + this.#backoff.next();
    this.#held = { structure: structureOf(desired), retryAt };
  }

  /** What is wanted now is loaded. */
  clear(): void {
    this.#held = undefined;
    this.#backoff.reset();
  }

  /** Milliseconds until the sections of `desired` are tried again; 0 for any others, whatever their servers. */
  waitMs(desired: DesiredState): number {
    if (this.#held === undefined || this.#held.structure !== structureOf(desired)) return 0;
    return Math.max(0, this.#held.retryAt - this.#clock.monotonic());
  }
}
