import { type Clock, describeError, readPlainFile } from '@smartstack/agent';
import type { Asked } from '../config/asked.js';

/** What a check makes of a small file, which may be replaced while the check runs. */
export class FollowedFile<T> {
  readonly #file: string;
  readonly #parse: (data: Buffer) => T;
  readonly #freshMs: number;
  readonly #clock: Clock;
  #known: { readonly value: T } | undefined;
  #readAt = -Infinity;
  #reading: Promise<T> | undefined;

  /** `freshMs`: for how long the file counts as it was read. */
  constructor(file: string, parse: (data: Buffer) => T, freshMs: number, clock: Clock) {
    this.#file = file;
    this.#parse = parse;
    this.#freshMs = freshMs;
    this.#clock = clock;
  }

  /** Rejects when the file was never of use. Waits only the first time: a file system may hang. */
  async current(): Promise<T> {
    const age = this.#clock.monotonic() - this.#readAt;
    if (this.#known !== undefined && age < this.#freshMs) return this.#known.value;
    const reading = this.#read();
    return this.#known === undefined ? await reading : this.#known.value;
  }

  /** One reading at a time, however many probes ask. */
  #read(): Promise<T> {
    if (this.#reading !== undefined) return this.#reading;
    const reading = readParsed(this.#file, this.#parse);
    this.#reading = reading;
    const done = (known = this.#known): void => {
      this.#reading = undefined;
      this.#readAt = this.#clock.monotonic();
      // Half of a file that is being replaced leaves what was known.
      this.#known = known;
    };
    reading.then(
      (value) => done({ value }),
      () => done(),
    );
    return reading;
  }
}

async function readParsed<T>(file: string, parse: (data: Buffer) => T): Promise<T> {
  const data = await readPlainFile(file);
  try {
    return parse(data);
  } catch (error) {
    throw new Error(`${file}: ${describeError(error)}`, { cause: error });
  }
}

/** Why a file cannot be used now, undefined when it can; each file is read once for all that ask. */
export function fileProblem(
  kind: string,
  file: string,
  parse: (data: Buffer) => unknown,
  asked: Asked,
): Promise<string | undefined> {
  return asked.ask(`${kind} ${file}`, [file], () =>
    readParsed(file, parse).then(
      () => undefined,
      (error: unknown) => describeError(error),
    ),
  );
}
