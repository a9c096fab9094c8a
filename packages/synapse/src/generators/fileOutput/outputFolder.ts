import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError, type Clock, describeError, makeDirectory, publishFile } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';
import { contentOf, saysTheSame } from './format.js';

/** So old may be what is known of the files, in milliseconds: what somebody else did to them is mended after that. */
const verifyAgainMs = 10_000;

/** One file as it should be. */
export interface WantedFile {
  readonly name: string;
  readonly instances: readonly Instance[];
  /** There is something to say only if there is no file yet: nobody knows better than the one that is there. */
  readonly onlyIfAbsent: boolean;
}

interface Known {
  /** A value: the same list is the same content. */
  readonly instances: readonly Instance[];
  readonly stamp: string;
}

/** The folder of the files, and what is known to be in them. */
export class OutputFolder {
  readonly directory: string;
  readonly #clock: Clock;
  #known = new Map<string, Known>();
  #verifiedAt = -Infinity;

  constructor(directory: string, clock: Clock) {
    this.directory = directory;
    this.#clock = clock;
  }

  /** The names of all `*.json` that could be files of services; creates the folder. Throws AgentError `file_write`. */
  async list(): Promise<ReadonlySet<string>> {
    try {
      await makeDirectory(this.directory);
      return await this.names();
    } catch (error) {
      const message = `Cannot use ${this.directory}: ${describeError(error)}`;
      throw new AgentError('file_write', message, { cause: error, retriable: true });
    }
  }

  /** The same, of a folder that is there: nothing is created. Throws what the file system does. */
  async names(): Promise<ReadonlySet<string>> {
    const entries = await readdir(this.directory, { withFileTypes: true });
    // As Ruby's glob: hidden files are nobody's. A folder of that name is certainly none of ours.
    const files = entries.filter(
      (entry) => /^[^.].*\.json$/s.test(entry.name) && (entry.isFile() || entry.isSymbolicLink()),
    );
    return new Set(files.map(({ name }) => name));
  }

  /** Forgets what files hold that were not looked at for a while and are not as they were left; `present` are there. */
  async verify(present: ReadonlySet<string>): Promise<void> {
    const again = this.#clock.monotonic() - this.#verifiedAt >= verifyAgainMs;
    for (const [name, { stamp }] of this.#known)
      if (!present.has(name) || (again && (await this.#stamp(name)) !== stamp)) this.#known.delete(name);
    if (again) this.#verifiedAt = this.#clock.monotonic();
  }

  /** Brings one file up to date; true when it was written. Throws AgentError `file_write`. */
  async bring({ name, instances, onlyIfAbsent }: WantedFile, isPresent: boolean): Promise<boolean> {
    const known = this.#known.get(name);
    if (known?.instances === instances || (onlyIfAbsent && isPresent)) return false;
    const text = contentOf(instances);
    const before = known ? contentOf(known.instances) : isPresent ? await this.read(name) : undefined;
    // Whoever watches the file is to see changes only.
    const isSame = before !== undefined && saysTheSame(before, text);
    if (!isSame) await publishFile(join(this.directory, name), text);
    this.#known.set(name, { instances, stamp: await this.#stamp(name) });
    return !isSame;
  }

  /** Removes a file. Throws AgentError `file_write`. */
  async remove(name: string): Promise<void> {
    this.#known.delete(name);
    try {
      await unlink(join(this.directory, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      const message = `Cannot remove ${join(this.directory, name)}: ${describeError(error)}`;
      throw new AgentError('file_write', message, { cause: error, retriable: true });
    }
  }

  /** When a file was written last, in milliseconds since the epoch; undefined where there is none. */
  async changedAt(name: string): Promise<number | undefined> {
    return (await stat(join(this.directory, name)).catch(() => undefined))?.mtimeMs;
  }

  /** The text of a file; undefined where there is none that can be read. */
  async read(name: string): Promise<string | undefined> {
    return readFile(join(this.directory, name), 'utf8').catch(() => undefined);
  }

  /** What changes when somebody else touches the file. */
  async #stamp(name: string): Promise<string> {
    const found = await stat(join(this.directory, name)).catch(() => undefined);
    return found === undefined ? 'absent' : `${found.ino} ${found.size} ${found.mtimeMs}`;
  }
}
