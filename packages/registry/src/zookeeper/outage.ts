import type { Clock, Logger } from '@smartstack/agent';

const flappingAfter = 5;
/** Longer than two servers that say nothing and the pauses after them, milliseconds. */
const seriesGapMs = 12_000;
/** A server that starts hangs up once or twice. */
const seriesLength = 3;
const firstHandshakeMs = 3_000;

/** What is known of the present trouble: what was said already, and how servers answer, if they do. */
export class Outage {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #refusalsResetMs: number;
  readonly #said = new Set<string>();
  #firstRefusal = 0;
  #lastRefusal: number | undefined;
  #refusals = 0;
  #silences = 0;
  #shortLives = 0;

  constructor(clock: Clock, logger: Logger, refusalsResetMs: number) {
    this.#clock = clock;
    this.#logger = logger;
    this.#refusalsResetMs = refusalsResetMs;
  }

  /** A dial or a look-up failed. Each message is a warning once per outage. */
  failed(message: string, { refused = false } = {}): void {
    // A server that is down says nothing about the data of the others.
    if (refused) this.#refused();
    const level = this.#said.has(message) || this.#said.size > 100 ? 'debug' : 'warn';
    this.#said.add(message);
    this.#logger[level]('cannot connect to ZooKeeper', { problem: message });
  }

  /** A dial got no answer in the time that it had. */
  silent(): void {
    this.#silences += 1;
  }

  /**
   * How long the next handshake may take, milliseconds, of `longestMs` at most: a dead server is to cost little,
   * but busy ones get longer and longer, or a fleet that comes back at once would never be served.
   */
  handshakeMs(longestMs: number, servers: number): number {
    const rounds = Math.min(10, Math.floor(this.#silences / Math.max(1, servers)));
    return Math.min(longestMs, firstHandshakeMs * 2 ** rounds);
  }

  /** True when servers have answered with nothing but hang-ups for long enough. */
  get onlyRefusals(): boolean {
    return (
      this.#lastRefusal !== undefined &&
      this.#refusals >= seriesLength &&
      this.#lastRefusal - this.#firstRefusal >= this.#refusalsResetMs
    );
  }

  #refused(): void {
    const now = this.#clock.monotonic();
    // Refusals far apart, with a server that was down in between, are no series.
    if (this.#lastRefusal === undefined || now - this.#lastRefusal > seriesGapMs) {
      this.#firstRefusal = now;
      this.#refusals = 0;
    }
    this.#refusals += 1;
    this.#lastRefusal = now;
  }

  connected(): void {
    this.#lastRefusal = undefined;
    this.#silences = 0;
  }

  /** A connection that had carried the session is gone. */
  lost(reason: string, short: boolean): void {
    this.#shortLives = short ? this.#shortLives + 1 : 0;
    const level = this.#shortLives < flappingAfter ? 'warn' : 'debug';
    this.#logger[level]('ZooKeeper connection lost', { reason });
    if (this.#shortLives === flappingAfter)
      this.#logger.warn('ZooKeeper session is flapping: does another process use the same session?', {
        shortConnections: this.#shortLives,
      });
  }

  /** A connection has lived long enough to call the trouble over. */
  stable(): void {
    this.#shortLives = 0;
    this.#said.clear();
  }
}
