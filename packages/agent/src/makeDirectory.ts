import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a directory, and those above it, unless it is there. Resolves with the first one that was made. Node's own
 * `recursive` never ends, in a thread of its own, where a file system answers ENOENT to whatever is to be made in a
 * directory that exists (/proc, automounters).
 */
export async function makeDirectory(path: string): Promise<string | undefined> {
  try {
    return (await isMade(path)) ? path : undefined;
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error;
    const first = await makeDirectory(parent);
    // Also where the parent was there: somebody may have made it just now.
    return (await isMade(path)) ? (first ?? path) : first;
  }
}

/** False: it is there. */
async function isMade(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    const isDirectory = await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (isDirectory) return false;
    throw error;
  }
}
