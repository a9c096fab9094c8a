import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Clock } from './clock.js';
import { describeError } from './errors.js';
import { within } from './run.js';

const maxBytes = 4096;
/** A file that is not there by then is not waited for, in milliseconds. */
const patienceMs = 2_000;

/** What a secret is, for people, and how short one may not be. */
export interface SecretKind {
  /** `token`, `key`. */
  readonly name: string;
  /** Shorter ones can be guessed. */
  readonly minLength: number;
}

/** What stands in a file, or why it cannot be used. */
export type Secret = { readonly secret: string } | { readonly problem: string };

/** The one line of a file, which is read anew each time, so that a changed one counts at once. */
export class SecretFile {
  readonly #path: string;
  readonly #kind: SecretKind;
  readonly #clock: Clock;
  /** Under way. Never two at once: a file system that hangs must not take all threads there are for files. */
  #reading: Promise<Secret> | undefined;

  constructor(path: string, kind: SecretKind, clock: Clock) {
    this.#path = path;
    this.#kind = kind;
    this.#clock = clock;
  }

  /** Never rejects, and takes two seconds at most. */
  async read(): Promise<Secret> {
    this.#reading ??= this.#open().finally(() => (this.#reading = undefined));
    const content = await within(this.#reading, patienceMs, this.#clock);
    return content ?? { problem: 'the file system does not answer' };
  }

  async #open(): Promise<Secret> {
    try {
      // Opening a pipe must not wait for a writer.
      const file = await open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stat = await file.stat();
        if (!stat.isFile()) return { problem: 'it is no plain file' };
        if (stat.size > maxBytes) return { problem: `it has more than ${maxBytes} bytes` };
        return secretOf((await file.readFile('utf8')).trim(), this.#kind);
      } finally {
        await file.close();
      }
    } catch (error) {
      return { problem: (error as NodeJS.ErrnoException).code ?? describeError(error) };
    }
  }
}

function secretOf(secret: string, { name, minLength }: SecretKind): Secret {
  if (secret === '') return { problem: 'it is empty' };
  if (!/^[\x21-\x7e]+$/.test(secret))
    return { problem: `a ${name} is one line of letters, digits and signs` };
  if (secret.length < minLength) return { problem: `a ${name} has at least ${minLength} characters` };
  return { secret };
}
