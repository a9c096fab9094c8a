import type { ConnectionOptions } from 'node:tls';
import { describeError, type Clock, type Logger, readPlainFile, within } from '@smartstack/agent';
import type { ZkTls } from './tlsSettings.js';
import type { ZkAuth } from './types.js';

type Read = (file: string) => Promise<Buffer>;

/** What a connection is opened with. */
export interface Credentials {
  readonly auth: readonly ZkAuth[];
  /** Undefined: plain TCP. */
  readonly tls: ConnectionOptions | undefined;
}

/** Who we are and whom we trust, as configured. */
export interface CredentialSettings {
  readonly auth?: readonly ZkAuth[];
  /** A file with one more, as `scheme:credentials`. */
  readonly authFile?: string | undefined;
  readonly tls?: ZkTls | undefined;
}

/** Reads `digest:user:password`. Throws when it is not of that form. */
export function parseAuth(text: string): ZkAuth {
  const [, scheme, data] = /^([^:\s]+):(\S.*)$/.exec(text.trim()) ?? [];
  if (scheme === undefined || data === undefined)
    throw new Error('expected scheme:credentials, such as digest:user:password');
  return { scheme, data: Buffer.from(data) };
}

/** Reads every file that the settings name. Rejects with the path in the message, for the first that is of no use. */
async function readCredentials(
  { auth = [], authFile, tls }: CredentialSettings,
  read: Read = readPlainFile,
): Promise<Credentials> {
  const more = authFile === undefined ? [] : [await readAuth(authFile, read)];
  return { auth: [...auth, ...more], tls: tls === undefined ? undefined : await readTls(tls, read) };
}

async function readAuth(file: string, read: Read): Promise<ZkAuth> {
  try {
    return parseAuth((await read(file)).toString());
  } catch (error) {
    throw problemOf(file, error);
  }
}

async function readTls(
  { caFile, certFile, keyFile, serverName, verify }: ZkTls,
  read: Read,
): Promise<ConnectionOptions> {
  const [{ X509Certificate }, { createSecureContext }] = await Promise.all([
    import('node:crypto'),
    import('node:tls'),
  ]);
  const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map((file) => readPem(file, read)));
  try {
    // Node takes an authority that is none without a word, and then trusts nobody.
    if (ca) new X509Certificate(ca);
    return {
      secureContext: createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }),
      rejectUnauthorized: verify ?? true,
      ...(serverName === undefined ? {} : { servername: serverName }),
    };
  } catch (error) {
    // Half of a pair that is being replaced, for instance.
    throw problemOf([certFile, keyFile, caFile].filter((file) => file !== undefined).join(', '), error);
  }
}

async function readPem(file: string | undefined, read: Read): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  try {
    const text = await read(file);
    if (!text.includes('-----BEGIN ')) throw new Error('this is no PEM file');
    return text;
  } catch (error) {
    throw problemOf(file, error);
  }
}

function problemOf(file: string, error: unknown): Error {
  const text = describeError(error);
  return new Error(text.includes(file) ? text : `${file}: ${text}`, { cause: error });
}

/** The files that the settings name. */
export function credentialFiles({ authFile, tls }: CredentialSettings): readonly string[] {
  return [authFile, tls?.caFile, tls?.certFile, tls?.keyFile].filter((file) => file !== undefined);
}

/** Why these settings cannot be used now; undefined when they can. */
export async function credentialProblem(settings: CredentialSettings): Promise<string | undefined> {
  return readCredentials(settings).then(
    () => undefined,
    (error: unknown) => describeError(error),
  );
}

export interface CredentialReaderOptions extends CredentialSettings {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Reads one file; of the machine's file systems by default. */
  readonly readFile?: Read;
}

/** Reads the credentials anew for every connection, so that a rotated file counts from the next one on. */
export class CredentialReader {
  readonly #options: CredentialReaderOptions;
  #last: Credentials | undefined;
  #reading: Promise<Credentials> | undefined;
  #problem: string | undefined;

  constructor(options: CredentialReaderOptions) {
    this.#options = options;
    const { auth = [], authFile, tls } = options;
    if (authFile === undefined && tls === undefined) this.#last = { auth, tls: undefined };
  }

  /**
   * Waits `deadlineMs` at most: a file system may hang. What cannot be read, or is half written, leaves the
   * credentials as they were; rejects when there are none yet.
   */
  async read(deadlineMs: number, signal: AbortSignal): Promise<Credentials> {
    const { authFile, tls, clock, logger } = this.#options;
    if (authFile === undefined && tls === undefined && this.#last) return this.#last;
    try {
      // Not one more for each dial: a hung file system would take all threads that read files.
      this.#reading ??= readCredentials(this.#options, this.#options.readFile).finally(
        () => (this.#reading = undefined),
      );
      const read = await within(this.#reading, deadlineMs, clock, signal);
      if (read === undefined)
        throw new Error(`the files of the credentials could not be read within ${Math.round(deadlineMs)} ms`);
      this.#last = read;
      this.#problem = undefined;
    } catch (error) {
      if (this.#last === undefined || signal.aborted) throw error;
      const problem = describeError(error);
      if (problem !== this.#problem) logger.warn('using the credentials read before', { problem });
      this.#problem = problem;
    }
    return this.#last;
  }
}
