import type { Clock } from './clock.js';
import { describeError } from './errors.js';
import { openPlainFile } from './plainFile.js';
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

/** The same of a file that may hold several, a line each: there is at least one. */
export type Secrets =
  | {
      readonly secrets: readonly [string, ...string[]];
      /** Users who have nothing to do with it may read or change it. */
      readonly isOpenToOthers: boolean;
    }
  | { readonly problem: string };

/** What one may do to a file who is neither its owner nor of its group. */
const others = 0o006;
/** While secrets are exchanged there are two; each has to be compared with. */
const maxSecrets = 8;

/** What stands in a file, which is read anew each time, so that a changed one counts at once. */
export class SecretFile {
  readonly #path: string;
  readonly #kind: SecretKind;
  readonly #clock: Clock;
  /** Under way. Never two at once: a file system that hangs must not take all threads there are for files. */
  #reading: Promise<Secrets> | undefined;

  constructor(path: string, kind: SecretKind, clock: Clock) {
    this.#path = path;
    this.#kind = kind;
    this.#clock = clock;
  }

  /** The one line of the file. Never rejects, and takes two seconds at most. */
  async read(): Promise<Secret> {
    const found = await this.readAll();
    if ('problem' in found) return found;
    const [secret, ...more] = found.secrets;
    return more.length === 0 ? { secret } : { problem: `a ${this.#kind.name} is one line` };
  }

  /** Each line of the file. Never rejects, and takes two seconds at most. */
  async readAll(): Promise<Secrets> {
    this.#reading ??= this.#find().finally(() => (this.#reading = undefined));
    const content = await within(this.#reading, patienceMs, this.#clock);
    return content ?? { problem: 'the file system does not answer' };
  }

  async #find(): Promise<Secrets> {
    try {
      const { content, mode } = await openPlainFile(this.#path, maxBytes);
      const read = secretsOf(content.toString(), this.#kind);
      return 'problem' in read ? read : { ...read, isOpenToOthers: (mode & others) !== 0 };
    } catch (error) {
      return {
        problem: (error as NodeJS.ErrnoException).code ?? describeError(error).replace(`${this.#path}: `, ''),
      };
    }
  }
}

function secretsOf(
  text: string,
  { name, minLength }: SecretKind,
): { readonly secrets: readonly [string, ...string[]] } | { readonly problem: string } {
  const lines = text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  const [first, ...more] = lines;
  if (first === undefined) return { problem: 'it is empty' };
  if (!lines.every((line) => /^[\x21-\x7e]+$/.test(line)))
    return { problem: `a ${name} is one line of letters, digits and signs` };
  if (lines.some(({ length }) => length < minLength))
    return { problem: `a ${name} has at least ${minLength} characters` };
  if (lines.length > maxSecrets) return { problem: `it has more than ${maxSecrets} lines` };
  return { secrets: [first, ...more] };
}
