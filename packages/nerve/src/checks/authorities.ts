import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type Clock, describeError } from '@smartstack/agent';

/** For how long a file counts as it was read, in milliseconds. */
const freshMs = 10_000;

/** What one check's certificates are verified with: a PEM file, which may be replaced while the check runs. */
export class Authorities {
  readonly #file: string;
  readonly #clock: Clock;
  #known: SecureContext | undefined;
  #readAt = -Infinity;
  #reading: Promise<SecureContext> | undefined;

  constructor(file: string, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
  }

  /** Rejects when the file was never of use. Waits only the first time: a file system may hang. */
  async current(): Promise<SecureContext> {
    const age = this.#clock.monotonic() - this.#readAt;
    if (this.#known !== undefined && age < freshMs) return this.#known;
    const reading = this.#read();
    return this.#known ?? (await reading);
  }

  /** One reading at a time, however many probes ask. */
  #read(): Promise<SecureContext> {
    if (this.#reading !== undefined) return this.#reading;
    const reading = readAuthorities(this.#file);
    this.#reading = reading;
    const done = (context = this.#known): void => {
      this.#reading = undefined;
      this.#readAt = this.#clock.monotonic();
      // Half of a file that is being replaced leaves what was known.
      this.#known = context;
    };
    reading.then(done, () => done());
    return reading;
  }
}

async function readAuthorities(file: string): Promise<SecureContext> {
  const ca = await readFile(file);
  try {
    // Node takes an authority that is none without a word, and then trusts nobody.
    new X509Certificate(ca);
    return createSecureContext({ ca });
  } catch (error) {
    throw new Error(`${file}: no certificate in PEM: ${describeError(error)}`, { cause: error });
  }
}

/** Why a file of authorities cannot be used now; undefined when it can. */
export async function authoritiesProblem(file: string): Promise<string | undefined> {
  return readAuthorities(file).then(
    () => undefined,
    (error: unknown) => describeError(error),
  );
}
