/** Those of the last while, so that nobody is answered twice; only proven ones come here. Times are monotonic milliseconds. */
export class Nonces {
  readonly #keptMs: number;
  readonly #max: number;
  /** When each came, oldest first. */
  readonly #seen = new Map<string, number>();

  constructor(keptMs: number, max: number) {
    this.#keptMs = keptMs;
    this.#max = max;
  }

  /** `new` is remembered; `full` is not, and must not be answered. */
  note(nonce: string, now: number): 'new' | 'again' | 'full' {
    for (const [oldest, at] of this.#seen) {
      if (now - at < this.#keptMs) break;
      this.#seen.delete(oldest);
    }
    if (this.#seen.has(nonce)) return 'again';
    if (this.#seen.size >= this.#max) return 'full';
    this.#seen.set(nonce, now);
    return 'new';
  }
}
