import type { Clock, Logger } from '@smartstack/agent';

/** Registrations wait for orders that cannot be read, but no longer than this, in milliseconds. */
const holdMs = 30_000;

/** Keeps services from being registered while it is not known which of them are drained: for a while after the start. */
export class Hold {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #directory: string;
  /** Monotonic; undefined once it is over, for ever. */
  #until: number | undefined;

  constructor(directory: string, { clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = clock;
    this.#logger = logger;
    this.#directory = directory;
    this.#until = clock.monotonic() + holdMs;
  }

  get isOn(): boolean {
    return this.#until !== undefined;
  }

  /** Says that it will take longer than anybody would notice. */
  announce(): void {
    if (this.#until === undefined) return;
    const seconds = Math.ceil((this.#until - this.#clock.monotonic()) / 1000);
    const directory = this.#directory;
    this.#logger.warn('orders are not read yet, registrations wait for them', { directory, seconds });
  }

  /** Ends it. False: it was over. */
  end(): boolean {
    const { isOn } = this;
    this.#until = undefined;
    return isOn;
  }

  /** Ends it if its time is up. False: it is not, or it was over. */
  expire(): boolean {
    if (this.#until === undefined || this.#clock.monotonic() < this.#until) return false;
    return this.giveUp('the file system does not answer');
  }

  /** Ends it because waiting is of no use, and says so. False: it was over. */
  giveUp(problem: string): boolean {
    if (this.#until === undefined) return false;
    const directory = this.#directory;
    this.#logger.warn('orders cannot be read, services are registered without them', { directory, problem });
    return this.end();
  }
}
