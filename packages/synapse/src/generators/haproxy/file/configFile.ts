import { unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Logger, makeDirectory, writeFileAtomic } from '@smartstack/agent';
import { FileHash } from './fileHash.js';
import { copyLastGood } from './lastGood.js';
import { OperatorsFile } from './operatorsFile.js';
import { tryOut } from './tryOut.js';

/** Where the configuration is on disk. */
export interface ConfigFileOptions {
  readonly configPath: string;
  readonly candidatePath: string;
  readonly logger: Logger;
}

/** haproxy.cfg on disk: what it is, written as a whole, and what was there before ours. */
export class ConfigFile {
  readonly #options: ConfigFileOptions;
  readonly #disk: FileHash;
  readonly #operators: OperatorsFile;
  #bytes = 0;

  constructor(options: ConfigFileOptions) {
    this.#options = options;
    this.#disk = new FileHash(options.configPath);
    this.#operators = new OperatorsFile(options.configPath, options.logger);
  }

  /** Size of what was written last, in bytes; 0 before that. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Hash of the file on disk; undefined when there is none. */
  hash(): Promise<string | undefined> {
    return this.#disk.read();
  }

  /** Writes the file, atomically. `ours` is the hash of what we wrote last. Throws AgentError `file_write`. */
  async write(parts: readonly Uint8Array[], ours: string | undefined, isUnchecked: boolean): Promise<void> {
    const { configPath, candidatePath, logger } = this.#options;
    await makeDirectory(dirname(configPath)).catch(() => undefined);
    await this.#keepOperators(ours);
    await writeFileAtomic(configPath, parts);
    this.#bytes = parts.reduce((sum, { length }) => sum + length, 0);
    await unlink(candidatePath).catch(() => undefined);
    logger.debug('haproxy.cfg written', { file: configPath, bytes: this.#bytes, isUnchecked });
  }

  /** Puts `text` there for as long as `load` returns true: see `tryOut`. */
  async tryOut(text: string, ours: string | undefined, load: () => Promise<boolean>): Promise<boolean> {
    await this.#keepOperators(ours);
    return tryOut(this.#options.configPath, text, load);
  }

  /** Keeps a copy of the file that HAProxy has just loaded, for the operator. */
  async keepLastGood(): Promise<void> {
    await copyLastGood(this.#options.configPath, this.#options.logger);
  }

  /** See `OperatorsFile.putBack`. */
  putBackOperators(): Promise<boolean> {
    return this.#operators.putBack();
  }

  async #keepOperators(ours: string | undefined): Promise<void> {
    // What is ours need not be read again each time: it may be large.
    if (ours === undefined || (await this.hash()) !== ours) await this.#operators.keep(ours);
  }
}
