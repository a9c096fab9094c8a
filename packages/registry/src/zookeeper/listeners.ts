import { describeError, type Logger } from '@smartstack/agent';

/** Listeners whose failures are logged and hurt nobody else. */
export class Listeners<A extends readonly unknown[]> {
  readonly #logger: Logger;
  readonly #listeners = new Set<(...values: A) => void>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Returns the function that takes the listener away again. */
  add(listener: (...values: A) => void): () => void {
    // A wrapper of its own, so that the same function added twice is called twice.
    const entry = (...values: A): void => listener(...values);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  emit(...values: A): void {
    for (const listener of [...this.#listeners]) {
      // One that was taken away by an earlier listener must hear nothing more.
      if (!this.#listeners.has(listener)) continue;
      try {
        listener(...values);
      } catch (error) {
        this.#logger.error('a listener failed', {
          error: describeError(error),
          stack: error instanceof Error ? error.stack : undefined,
        });
      }
    }
  }
}
