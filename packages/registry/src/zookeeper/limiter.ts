/** Runs tasks with at most `limit` of weight under way; the others wait in order. */
export class Limiter {
  readonly #limit: number;
  #running = 0;
  #waiting: { readonly weight: number; start(): void }[] = [];
  /** Where the queue begins in `#waiting`: to shift a long array would copy it each time. */
  #head = 0;

  constructor(limit: number) {
    if (!(limit >= 1)) throw new RangeError(`a limiter needs a limit of at least 1, got ${limit}`);
    this.#limit = limit;
  }

  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  /** Starts the task at once when there is room for its `weight`, so that a quiet system adds no delay. */
  async run<T>(task: () => Promise<T>, weight = 1): Promise<T> {
    const own = Math.min(weight, this.#limit);
    // Nobody overtakes the one who waited longest, however light.
    if (this.waiting > 0 || this.#running + own > this.#limit)
      await new Promise<void>((start) => this.#waiting.push({ weight: own, start }));
    else this.#running += own;
    try {
      return await task();
    } finally {
      this.#running -= own;
      this.#startNext();
    }
  }

  #startNext(): void {
    for (
      let next = this.#waiting[this.#head];
      next && this.#running + next.weight <= this.#limit;
      next = this.#waiting[this.#head]
    ) {
      this.#running += next.weight;
      this.#head += 1;
      next.start();
    }
    if (this.#head < this.#waiting.length) return;
    this.#waiting = [];
    this.#head = 0;
  }
}
