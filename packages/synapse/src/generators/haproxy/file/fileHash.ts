import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';

/** SHA-256 of a file's text, hexadecimal. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The same of a file in parts. */
export function hashOfParts(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** So much is read at once, in bytes: a large file is not to be in memory as a whole after each change. */
const chunkBytes = 256 * 1024;

async function hashOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(path);
  try {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    for (;;) {
      const { bytesRead } = await handle.read(chunk, 0, chunkBytes);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(chunk.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

/**
 * The hash of one file on disk, read anew only when the file looks different. Also after a write of our own: whoever
 * edits the file at that moment would else be taken for us.
 */
export class FileHash {
  readonly #path: string;
  #known: { readonly look: string; readonly hash: string } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** SHA-256 of the file, hexadecimal; undefined when it cannot be read. */
  async read(): Promise<string | undefined> {
    const look = await this.#look();
    if (look === undefined) return undefined;
    if (this.#known?.look === look) return this.#known.hash;
    const hash = await hashOfFile(this.#path).catch(() => undefined);
    if (hash === undefined) return undefined;
    // The look from before the reading: a change in between is seen the next time.
    this.#known = { look, hash };
    return hash;
  }

  /** What every change of the file changes: each writer that replaces it, and each that edits it in place. */
  async #look(): Promise<string | undefined> {
    const found = await stat(this.#path, { bigint: true }).catch(() => undefined);
    return found === undefined
      ? undefined
      : [found.ino, found.size, found.mtimeNs, found.ctimeNs].map(String).join(' ');
  }
}
