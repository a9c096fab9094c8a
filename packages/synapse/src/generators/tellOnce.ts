/** Tells each of several things that are wrong once, when it begins; what ends and comes again is told again. */
export class TellOnce {
  readonly #tell: (one: object) => void;
  #told = new Set<string>();

  constructor(tell: (one: object) => void) {
    this.#tell = tell;
  }

  /** Takes all that is wrong now. */
  note(all: readonly object[]): void {
    const now = new Map(all.map((one) => [JSON.stringify(one), one]));
    for (const [key, one] of now) if (!this.#told.has(key)) this.#tell({ ...one });
    this.#told = new Set(now.keys());
  }
}
