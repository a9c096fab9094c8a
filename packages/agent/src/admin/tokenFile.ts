import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.js';
import type { Logger } from '../logger.js';
import { SecretFile } from '../secretFile.js';

const kind = { name: 'token', minLength: 16 };

/** What a presented token is worth. */
export type TokenVerdict =
  | { readonly kind: 'right' }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'unusable'; readonly problem: string };

/** The token that stands in a file, which is read anew for every request, so that a changed one counts at once. */
export class TokenFile {
  readonly #path: string;
  readonly #file: SecretFile;
  readonly #logger: Logger;
  #told = '';

  constructor(path: string, clock: Clock, logger: Logger) {
    this.#path = path;
    this.#file = new SecretFile(path, kind, clock);
    this.#logger = logger;
  }

  /** Compares in constant time. Never rejects: a file that cannot be used lets nobody in, and says why. */
  async judge(token: string): Promise<TokenVerdict> {
    const content = await this.#file.read();
    const problem = 'problem' in content ? content.problem : '';
    if (problem !== '' && problem !== this.#told)
      this.#logger.warn('the token file cannot be used', { file: this.#path, problem });
    this.#told = problem;
    if ('problem' in content) return { kind: 'unusable', problem };
    return { kind: timingSafeEqual(digest(token), digest(content.secret)) ? 'right' : 'wrong' };
  }
}

/** Equally long for all, so that a comparison tells not even the length. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
