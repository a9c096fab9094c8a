import { chmod, chown, type FileHandle, open, stat } from 'node:fs/promises';
import { AgentError, describeError, type Logger, writeFileAtomic } from '@smartstack/agent';
import { header } from '../desired/render.js';
import { hashOf } from './fileHash.js';
import { lastGoodOf } from './lastGood.js';

interface Found {
  readonly data: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A regular file with something in it, and who may read it; undefined where there is none. */
async function readRegular(path: string): Promise<Found | undefined> {
  let handle: FileHandle | undefined;
  try {
    // A pipe without a writer would never open.
    if (!(await stat(path)).isFile()) return undefined;
    handle = await open(path, 'r');
    const { mode, uid, gid } = await handle.stat();
    const data = await handle.readFile();
    return data.length === 0 ? undefined : { data, mode: mode & 0o7777, uid, gid };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  } finally {
    await handle?.close();
  }
}

/**
 * The configuration that was there before ours: the operator's, or one of Ruby's synapse. Kept beside the file, for
 * until HAProxy has loaded one of ours there is nothing else that is known to work.
 */
export class OperatorsFile {
  readonly #path: string;
  readonly #logger: Logger;

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** Where it is kept. */
  get copy(): string {
    return `${this.#path}.before-synapse`;
  }

  /**
   * To be called before each write: keeps what lies there, if that is none of ours, by its first line or as the one
   * with the hash `ours`. Throws AgentError `file_write`: what cannot be kept is not to be overwritten.
   */
  async keep(ours: string | undefined): Promise<void> {
    try {
      const found = await readRegular(this.#path);
      if (found === undefined) return;
      const text = found.data.toString('utf8');
      if (text.startsWith(`${header}\n`) || hashOf(text) === ours) return;
      const kept = await readRegular(this.copy);
      if (kept?.data.equals(found.data) === true) return;
      await writeFileAtomic(this.copy, found.data, { mode: 0o600 });
      await this.#give(found);
    } catch (error) {
      if (error instanceof AgentError) throw error;
      const why = `Cannot keep ${this.#path} as ${this.copy}: ${describeError(error)}`;
      throw new AgentError('file_write', why, { cause: error, retriable: true });
    }
    const files = { file: this.#path, copy: this.copy };
    this.#logger.info('the haproxy.cfg that was there is kept', files);
  }

  async #give({ mode, uid, gid }: Found): Promise<void> {
    // Only root may give a file away.
    await chown(this.copy, uid, gid).catch(() => undefined);
    await chmod(this.copy, mode);
  }

  /**
   * Puts it back where HAProxy has loaded nothing of ours since it was kept; false where it has, or where nothing was
   * kept. Throws AgentError `file_write`.
   */
  async putBack(): Promise<boolean> {
    const kept = await readRegular(this.copy).catch(() => undefined);
    if (kept === undefined || (await this.#wasLoadedSince())) return false;
    await writeFileAtomic(this.#path, kept.data, { mode: kept.mode });
    const files = { file: this.#path, copy: this.copy };
    this.#logger.warn('haproxy cannot load our first file, the one from before is put back', files);
    return true;
  }

  /** What was loaded is copied then: that copy is the younger one. */
  async #wasLoadedSince(): Promise<boolean> {
    const [loaded, kept] = await Promise.all(
      [lastGoodOf(this.#path), this.copy].map((path) => stat(path, { bigint: true }).catch(() => undefined)),
    );
    return loaded !== undefined && (kept === undefined || loaded.mtimeNs >= kept.mtimeNs);
  }
}
