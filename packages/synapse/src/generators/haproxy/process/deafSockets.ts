import type { Clock } from '@smartstack/agent';
import type { PassResult } from '../runtime/runtimePass.js';

/** A socket on which nobody answers although the reload succeeded asks for no further reload for so long, in milliseconds. */
export const deafMs = 60_000;

/** Sockets without an answer after a reload that succeeded, and until when that is put up with. */
export class DeafSockets {
  readonly #clock: Clock;
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True while there are any. */
  get exist(): boolean {
    return this.#until.size > 0;
  }

  /** Nobody answers on this one, although the reload succeeded. */
  note(socket: string): void {
    this.#until.set(socket, this.#clock.monotonic() + deafMs);
  }

  /** Those of `results` of which a reload may be asked; who answers is deaf no more. */
  audible(results: readonly PassResult[]): readonly PassResult[] {
    const now = this.#clock.monotonic();
    return results.filter(({ socket, process }) => {
      if (process !== undefined) this.#until.delete(socket);
      return process !== undefined || (this.#until.get(socket) ?? -Infinity) <= now;
    });
  }
}
