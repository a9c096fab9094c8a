/**
 * One piece of work at a time, in the order of asking. What waits for its turn waits there once, however often it is
 * asked for: a disk that hangs for a week leaves no more behind than one that hangs for a second.
 */
export class Turns {
  readonly #waiting = new Map<string, Promise<unknown>>();
  #last: Promise<unknown> = Promise.resolve();
  #unsettled = 0;

  /** Whether anything goes on, or waits. */
  get isBusy(): boolean {
    return this.#unsettled > 0;
  }

  /** Settles as `work` does. Works of one name do the same: of those that have not begun, one is enough. */
  take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined) return waiting as Promise<T>;
    const done = this.#last.then(() => {
      this.#waiting.delete(name);
      return work();
    });
    this.#waiting.set(name, done);
    this.#unsettled += 1;
    const settled = (): void => void (this.#unsettled -= 1);
    this.#last = done.then(settled, settled);
    return done;
  }
}
