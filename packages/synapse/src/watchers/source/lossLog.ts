import type { Logger } from '@smartstack/agent';

/** Tells that a source is lost, once for each reason, and that it is back. */
export class LossLog {
  readonly #logger: Logger;
  readonly #source: string;
  #reason: string | undefined;

  /** `source` is its name for people. */
  constructor(logger: Logger, source: string) {
    this.#logger = logger;
    this.#source = source;
  }

  /** Why it is lost now; undefined while it is not. */
  get reason(): string | undefined {
    return this.#reason;
  }

  lost(reason: string): void {
    if (reason === this.#reason) return;
    this.#reason = reason;
    const fields = { source: this.#source, reason };
    this.#logger.warn('the source cannot be read, its last instances stay', fields);
  }

  back(): void {
    if (this.#reason === undefined) return;
    this.#reason = undefined;
    this.#logger.info('the source answers again', { source: this.#source });
  }
}
