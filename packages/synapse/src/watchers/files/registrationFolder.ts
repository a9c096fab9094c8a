import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { describeError } from '@smartstack/agent';
import { decodeRegistrationFile, isRegistrationFileName, type RegistrationFile } from '@smartstack/registry';

import { readRegularFile } from './regularFile.js';

const maxBytes = 1024 * 1024;
/** More are somebody's mistake, or attack. */
const maxFiles = 20_000;

/** One file of a folder of registrations. */
export interface FolderFile {
  /** What it says, or last said; undefined when it never made sense. */
  readonly content: RegistrationFile | undefined;
  /** Monotonic milliseconds until which it counts, unless it is touched before. */
  readonly freshUntil: number;
  readonly problem?: string;
}

interface Seen extends FolderFile {
  readonly identity: string;
}

/** Both clocks, in milliseconds, as of one look. */
export interface Moment {
  readonly now: number;
  readonly monotonic: number;
}

/** The registrations of a folder, each version of a file read once. */
export class RegistrationFolder {
  readonly #directory: string;
  #seen: ReadonlyMap<string, Seen> = new Map();
  #lookedAt: number | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The files by name, in the order of their names. Rejects when the folder cannot be read. */
  async look(moment: Moment): Promise<ReadonlyMap<string, FolderFile>> {
    const names = (await readdir(this.#directory)).filter(isRegistrationFileName).sort();
    if (names.length > maxFiles) throw new Error(`More than ${maxFiles} registrations`);
    const seen = new Map<string, Seen>();
    // One after the other: a file system that hangs must not take all threads that there are for files.
    for (const name of names) {
      const file = await this.#file(name, moment);
      if (file !== undefined) seen.set(name, file);
    }
    this.#seen = seen;
    this.#lookedAt = moment.monotonic;
    return seen;
  }

  /** Undefined when it is gone meanwhile. */
  async #file(name: string, moment: Moment): Promise<Seen | undefined> {
    const path = join(this.#directory, name);
    const before = this.#seen.get(name);
    let identity = before?.identity ?? '';
    try {
      const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
      identity = `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
      if (identity === before?.identity) return before;
      const { data, modifiedMs } = await readRegularFile(path, maxBytes);
      const content = decodeRegistrationFile(data);
      return { identity, content, freshUntil: this.#freshUntil(content, modifiedMs, moment, before) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      const { content, freshUntil = Infinity } = before ?? {};
      return { identity, content, freshUntil, problem: describeError(error) };
    }
  }

  /**
   * By the wall clock only where there is nothing better: a file that changed since the last look is no older than that
   * look, whatever the clocks of this machine and the writer's do meanwhile.
   */
  #freshUntil(
    { ttlSeconds }: RegistrationFile,
    modifiedMs: number,
    { now, monotonic }: Moment,
    before: Seen | undefined,
  ): number {
    const byClock = Math.max(0, now - modifiedMs);
    const sinceLook =
      before === undefined || this.#lookedAt === undefined ? Infinity : monotonic - this.#lookedAt;
    return monotonic - Math.min(byClock, sinceLook) + ttlSeconds * 1000;
  }
}
