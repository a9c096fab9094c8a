import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AgentError, describeError } from './errors.js';

/**
 * Puts a file for others to read in the place of whatever has its name, so that a reader sees the old content or the
 * new, never a part. Unlike `writeFileAtomic` it is for what is made anew at each start: it is not flushed to the
 * disk, gets permissions of its own (`mode` less the umask) and replaces a symbolic link. When it fails, the old
 * file is as it was; throws AgentError `file_write`, retriable.
 */
export async function publishFile(path: string, data: string, mode = 0o644): Promise<void> {
  // Always the same name, so that what a kill left behind is gone with the next time. Hidden from globs.
  const temporary = join(dirname(path), `.${basename(path)}.tmp`);
  try {
    await unlink(temporary).catch(absent);
    const handle = await open(temporary, 'wx', mode);
    try {
      try {
        await handle.writeFile(data);
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
  } catch (error) {
    const message = `Cannot write ${path}: ${describeError(error)}`;
    throw new AgentError('file_write', message, { cause: error, retriable: true });
  }
}

function absent(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
