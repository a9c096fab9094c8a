import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** The only thing that can be asked for. */
export const numbersPath = '/v1/numbers';
/** So far may two clocks be apart, and so long is a proof good, in milliseconds. */
export const windowMs = 30_000;

const protocol = 'smartstack-numbers-1';
const scheme = 'SmartStack-HMAC';

/** What is asked, of whom, when: a proof for one host is good for no other. */
export interface Challenge {
  /** The address that is asked, as `targetText` has it. */
  readonly target: string;
  /** Wall clock milliseconds of who asks. */
  readonly atMs: number;
  /** 32 hexadecimal digits that nobody used before. */
  readonly nonce: string;
}

/** A challenge to `target` that nobody can know before. */
export function newChallenge(target: string, nowMs: number): Challenge {
  return { target, atMs: Math.round(nowMs), nonce: randomBytes(16).toString('hex') };
}

function proofOf(key: string, what: 'ask' | 'answer', parts: readonly (string | number)[]): string {
  return createHmac('sha256', key)
    .update([protocol, what, 'GET', numbersPath, ...parts].join('\n'))
    .digest('hex');
}

/** The header that proves that who asks has the key, which is not in it. */
export function authorizationOf(key: string, { target, atMs, nonce }: Challenge): string {
  return `${scheme} at=${atMs}, nonce=${nonce}, proof=${proofOf(key, 'ask', [target, atMs, nonce])}`;
}

/** What proves that an answer is to this challenge, and from somebody who has the key. */
export function proofOfAnswer(key: string, { target, atMs, nonce }: Challenge, body: Buffer): string {
  const digest = createHash('sha256').update(body).digest('hex');
  return proofOf(key, 'answer', [target, atMs, nonce, digest]);
}

/** A challenge as it came in, with what is to prove it. */
export interface Presented extends Challenge {
  readonly proof: string;
}

/** Reads the header of a request to `target`; undefined where it is none of ours. */
export function presentedIn(header: string | undefined, target: string): Presented | undefined {
  const [, at, nonce, proof] =
    /^SmartStack-HMAC at=(\d{1,15}), nonce=([0-9a-f]{32}), proof=([0-9a-f]{64})$/.exec(header ?? '') ?? [];
  if (at === undefined || nonce === undefined || proof === undefined) return undefined;
  return { target, atMs: Number(at), nonce, proof };
}

/**
 * With which of the keys a proof was made; undefined where with none. All are tried, so that it takes as long for each
 * of them, and for each wrong proof.
 */
export function provenWith(
  keys: readonly string[],
  { target, atMs, nonce, proof }: Presented,
): string | undefined {
  let found: string | undefined;
  for (const key of keys) if (isSame(proof, proofOf(key, 'ask', [target, atMs, nonce]))) found ??= key;
  return found;
}

/** Whether an answer is to this challenge, and made with the key. */
export function isProvenAnswer(
  key: string,
  challenge: Challenge,
  body: Buffer,
  proof: string | undefined,
): boolean {
  return proof !== undefined && isSame(proof, proofOfAnswer(key, challenge, body));
}

function isSame(given: string, expected: string): boolean {
  const [one, two] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === two.length && timingSafeEqual(one, two);
}
