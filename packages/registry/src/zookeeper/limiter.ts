/** Runs tasks with at most `limit` under way; the others wait in order. */
export class Limiter {
  readonly #limit: number;
  #running = 0;
  #waiting: (() => void)[] = [];
  /** Where the queue begins in `#waiting`: to shift a long array would copy it each time. */
  #head = 0;

  constructor(limit: number) {
    if (!(limit >= 1)) throw new RangeError(`a limiter needs a limit of at least 1, got ${limit}`);
    this.#limit = limit;
  }

  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  /** Starts the task at once when there is room, so that a quiet system adds no delay. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await task();
    } finally {
      // The place is handed over, so that nobody overtakes the one who waited longest.
      const next = this.#next();
      if (next) next();
      else this.#running -= 1;
    }
  }

  #next(): (() => void) | undefined {
    const next = this.#waiting[this.#head];
    this.#head += 1;
    if (this.#head >= this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    }
    return next;
  }
}
