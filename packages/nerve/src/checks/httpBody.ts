import type { CheckResult } from '../health/health.js';

/** The most of a body that is read, in bytes: a health page is small, and the agent must stay so. */
const maxBody = 1024 * 1024;

/** The most that is read of a body nobody asked to look into; only politeness to the server. */
const maxUnsearchedBody = 64 * 1024;

/**
 * Judges the body of an answer whose status was good, chunk by chunk and in constant memory.
 * Without `expect` a body passes as soon as enough of it has come.
 */
export class BodyJudge {
  readonly #expect: Buffer | undefined;
  #begun = false;
  #read = 0;
  /** The end of what was read so far: the expected text may lie across two chunks. */
  #tail = Buffer.alloc(0);

  constructor(expect: string | undefined) {
    this.#expect = expect === undefined || expect === '' ? undefined : Buffer.from(expect);
  }

  /** The headers are there, and good. */
  begin(): void {
    this.#begun = true;
  }

  /** Takes the next bytes; returns the verdict once they decide. */
  add(chunk: Buffer): CheckResult | undefined {
    this.#read += chunk.length;
    if (this.#expect === undefined) return this.#read >= maxUnsearchedBody ? { ok: true } : undefined;
    const text = Buffer.concat([this.#tail, chunk]);
    if (text.includes(this.#expect)) return { ok: true };
    this.#tail = text.subarray(Math.max(0, text.length - this.#expect.length + 1));
    return this.#read >= maxBody ? this.#missing(`the first ${maxBody} bytes`) : undefined;
  }

  /** The whole body was read. */
  atEnd(): CheckResult {
    return this.#expect === undefined ? { ok: true } : this.#missing('the body');
  }

  /**
   * The time is over. A body that is still arriving passes if nothing is expected in it: airbnb's
   * nerve waits for each read, not for the whole, and so do the services that stream.
   */
  atDeadline(limitMs: number): CheckResult {
    const within = `within ${limitMs / 1000} s`;
    if (!this.#begun) return { ok: false, reason: `no answer ${within}` };
    if (this.#expect !== undefined) return this.#missing(`what came ${within}`);
    return this.#read > 0 ? { ok: true } : { ok: false, reason: `nothing of the body ${within}` };
  }

  #missing(where: string): CheckResult {
    return { ok: false, reason: `the expected text is not in ${where}` };
  }
}
