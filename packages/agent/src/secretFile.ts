import type { Clock } from './clock.js';
import { describeError } from './errors.js';
import { readPlainFile } from './plainFile.js';
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
    this.#reading ??= this.#find().finally(() => (this.#reading = undefined));
    const content = await within(this.#reading, patienceMs, this.#clock);
    return content ?? { problem: 'the file system does not answer' };
  }

  async #find(): Promise<Secret> {
    try {
      return secretOf((await readPlainFile(this.#path, maxBytes)).toString().trim(), this.#kind);
    } catch (error) {
      return {
        problem: (error as NodeJS.ErrnoException).code ?? describeError(error).replace(`${this.#path}: `, ''),
      };
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
