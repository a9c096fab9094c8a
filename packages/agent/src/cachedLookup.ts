import { lookup } from 'node:dns';
import { isIP } from 'node:net';
import type { Clock } from './clock.js';

type Callback = (error: Error | null, address: string, family: number) => void;

/** For how long an answer counts, in milliseconds; a failure for less. */
const keptMs = 60_000;
const failedMs = 5_000;

interface Answer {
  readonly error: Error | null;
  readonly address: string;
  readonly family: number;
  readonly until: number;
}

/**
 * Looks up one host name, once at a time, and remembers the answer: each look-up takes one of the process's few threads for
 * names and files, which a name server that hangs keeps busy. While a new answer is awaited, the old one counts.
 */
export class CachedLookup {
  readonly #clock: Clock;
  #answer: Answer | undefined;
  #asking = false;
  #waiting: Callback[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** With the signature that sockets want of their `lookup`. */
  lookup(name: string, options: unknown, callback: Callback): void {
    const family = options === 6 || (options as { family?: unknown } | undefined)?.family === 6 ? 6 : 4;
    // A socket also asks for the address that it binds to.
    const literal = isIP(name);
    if (literal !== 0) {
      callback(null, name, literal);
      return;
    }
    const answer = this.#answer;
    if (answer === undefined || this.#clock.monotonic() >= answer.until) this.#ask(name, family);
    if (answer) callback(answer.error, answer.address, answer.family);
    // A socket sends little while it waits: what is more is not worth its memory.
    else if (this.#waiting.length < 1_000) this.#waiting.push(callback);
    else callback(new Error('the name is being looked up'), '', family);
  }

  #ask(name: string, family: 4 | 6): void {
    if (this.#asking) return;
    this.#asking = true;
    lookup(name, { family }, (error, address, found) => {
      const now = this.#clock.monotonic();
      this.#asking = false;
      // An address that was right a minute ago is better than none.
      if (error && this.#answer?.error === null) this.#answer = { ...this.#answer, until: now + failedMs };
      else this.#answer = { error, address, family: found, until: now + (error ? failedMs : keptMs) };
      const answer = this.#answer;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const callback of waiting) callback(answer.error, answer.address, answer.family);
    });
  }
}
