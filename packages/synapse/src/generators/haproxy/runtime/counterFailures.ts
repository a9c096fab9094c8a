import { describeError, type Logger } from '@smartstack/agent';
import { RuntimeApiError } from './runtimeError.js';

/** Tells each failure to read counters once, until it is over; counts them all. */
export class CounterFailures {
  readonly #logger: Logger;
  readonly #count: () => void;
  readonly #problems = new Map<string, string>();

  constructor(logger: Logger, count: () => void) {
    this.#logger = logger;
    this.#count = count;
  }

  /** `of` is the socket or worker that was asked. One that is gone is no failure: others look after that. */
  tell(of: string, error: unknown): void {
    if (error instanceof RuntimeApiError && ['runtime-unreachable', 'runtime-closed'].includes(error.code)) {
      this.#problems.delete(of);
      return;
    }
    this.#count();
    const problem = describeError(error);
    const isKnown = this.#problems.has(of);
    this.#problems.set(of, problem);
    if (!isKnown) this.#logger.warn("haproxy's counters cannot be read", { of, problem });
  }

  over(of: string): void {
    if (this.#problems.delete(of)) this.#logger.info("haproxy's counters are read again", { of });
  }
}
