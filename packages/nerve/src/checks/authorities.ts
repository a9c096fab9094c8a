import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type Clock, describeError } from '@smartstack/agent';
import type { Asked } from '../config/asked.js';
import type { OptionProblem } from './check.js';
import { fileProblem, FollowedFile } from './followedFile.js';

/** For how long a file counts as it was read, in milliseconds. */
const freshMs = 10_000;

/** What certificates are verified with. */
export interface Trust {
  readonly context: SecureContext;
  readonly pem: Buffer;
}

/** What one check's certificates are verified with: a PEM file, which may be replaced while the check runs. */
export class Authorities extends FollowedFile<Trust> {
  constructor(file: string, clock: Clock) {
    super(file, parseAuthorities, freshMs, clock);
  }
}

function parseAuthorities(pem: Buffer): Trust {
  try {
    // Node takes an authority that is none without a word, and then trusts nobody.
    new X509Certificate(pem);
    return { context: createSecureContext({ ca: pem }), pem };
  } catch (error) {
    throw new Error(`no certificate in PEM: ${describeError(error)}`, { cause: error });
  }
}

/** What is wrong with the file of authorities that a check names. */
export async function authoritiesProblems(
  file: string | undefined,
  asked: Asked,
): Promise<readonly OptionProblem[]> {
  if (file === undefined) return [];
  const message = await fileProblem('authorities', file, parseAuthorities, asked);
  return message === undefined ? [] : [{ key: 'tls_ca_file', message }];
}
