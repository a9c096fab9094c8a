import { stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Clock } from '@smartstack/agent';
import { runCommand } from '@smartstack/agent/command';

const versionLine = /^HA-?Proxy version (\S+)/m;

/** What asking the executable needs. */
export interface InstalledHaproxyOptions {
  readonly clock: Clock;
  /** For one answer, in milliseconds. */
  readonly timeoutMs: number;
}

/** The executable that checks files, and that the next start of HAProxy runs: it may be another version than the process. */
export class InstalledHaproxy {
  readonly #binary: string;
  readonly #options: InstalledHaproxyOptions;
  #known: { readonly print: string; readonly version: string | undefined } | undefined;
  /** Several may want to know at the start. */
  #first: Promise<string | undefined> | undefined;

  constructor(binary: string, options: InstalledHaproxyOptions) {
    this.#binary = binary;
    this.#options = options;
  }

  /** Its version as known, at once: whoever watches it (HaproxyWatch) looks again. The first answer is waited for. */
  async current(): Promise<string | undefined> {
    if (this.#known !== undefined) return this.#known.version;
    this.#first ??= this.version().finally(() => (this.#first = undefined));
    return this.#first;
  }

  /** Its version (`2.6.12-1+deb12u4`), asked for again only when the file was replaced; undefined when it does not tell. */
  async version(signal?: AbortSignal): Promise<string | undefined> {
    const print = await this.#fingerprint();
    if (print === undefined) return undefined;
    if (this.#known?.print === print) return this.#known.version;
    const { output, exitCode } = await runCommand(this.#binary, ['-v'], { ...this.#options, signal });
    // One that could not be run now may well be in the middle of its replacement.
    if (exitCode !== 0) return undefined;
    const version = versionLine.exec(output)?.[1];
    this.#known = { print, version };
    return version;
  }

  /** What changes with the file; undefined when there is none. */
  async #fingerprint(): Promise<string | undefined> {
    const folders = this.#binary.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter);
    for (const folder of folders) {
      const path = folder === '' ? this.#binary : join(folder, this.#binary);
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile() === true) return [path, found.ino, found.size, found.mtimeMs].join(' ');
    }
    return undefined;
  }
}
