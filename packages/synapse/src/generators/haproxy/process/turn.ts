/** Lets actions happen one at a time, in the order they are asked for. */
export class Turn {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `action` when all before it have ended, however they ended. */
  take<T>(action: () => Promise<T>): Promise<T> {
    const next = this.#last.then(action, action);
    this.#last = next.catch(() => undefined);
    return next;
  }
}
