import { createHash, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Clock } from '../clock.js';
import { describeError } from '../errors.js';
import type { Logger } from '../logger.js';
import { within } from '../run.js';

/** Shorter ones can be guessed. */
const minLength = 16;
const maxBytes = 4096;
/** A file that is not there by then is not waited for, in milliseconds. */
const patienceMs = 2_000;

/** What a presented token is worth. */
export type TokenVerdict =
  | { readonly kind: 'right' }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'unusable'; readonly problem: string };

type Content = { readonly digest: Buffer } | { readonly problem: string };

/** The token that stands in a file, which is read anew for every request, so that a changed one counts at once. */
export class TokenFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Under way. Never two at once: a file system that hangs must not take all threads there are for files. */
  #reading: Promise<Content> | undefined;
  #told = '';

  constructor(path: string, clock: Clock, logger: Logger) {
    this.#path = path;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Compares in constant time. Never rejects: a file that cannot be used lets nobody in, and says why. */
  async judge(token: string): Promise<TokenVerdict> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    const content = (await within(this.#reading, patienceMs, this.#clock)) ?? {
      problem: 'the file system does not answer',
    };
    const problem = 'problem' in content ? content.problem : '';
    if (problem !== '' && problem !== this.#told)
      this.#logger.warn('the token file cannot be used', { file: this.#path, problem });
    this.#told = problem;
    if ('problem' in content) return { kind: 'unusable', problem };
    return { kind: timingSafeEqual(digest(token), content.digest) ? 'right' : 'wrong' };
  }

  async #read(): Promise<Content> {
    try {
      // Opening a pipe must not wait for a writer.
      const file = await open(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stat = await file.stat();
        if (!stat.isFile()) return { problem: 'it is no plain file' };
        if (stat.size > maxBytes) return { problem: `it has more than ${maxBytes} bytes` };
        return contentOf((await file.readFile('utf8')).trim());
      } finally {
        await file.close();
      }
    } catch (error) {
      return { problem: (error as NodeJS.ErrnoException).code ?? describeError(error) };
    }
  }
}

function contentOf(token: string): Content {
  if (token === '') return { problem: 'it is empty' };
  if (!/^[\x21-\x7e]+$/.test(token)) return { problem: 'a token is one line of letters, digits and signs' };
  if (token.length < minLength) return { problem: `a token has at least ${minLength} characters` };
  return { digest: digest(token) };
}

/** Equally long for all, so that a comparison tells not even the length. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
