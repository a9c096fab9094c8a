import { randomUUID } from 'node:crypto';
import { type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AgentError, describeError } from './errors.js';

export interface AtomicWriteOptions {
  /** Permissions of a file that does not exist yet (default 0o644). An existing file keeps its own. */
  readonly mode?: number;
}

/**
 * Replaces a file so that a reader, or a machine that loses power, sees the old content or the new,
 * never a part. A symbolic link stays one. When it fails (disk full, no permission) the old file is as
 * it was and nothing else is left; throws AgentError `file_write`, retriable.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: AtomicWriteOptions = {},
): Promise<void> {
  try {
    await replace(await realpathOf(path), data, options.mode ?? 0o644);
  } catch (error) {
    throw new AgentError('file_write', `Cannot write ${path}: ${describeError(error)}`, {
      cause: error,
      retriable: true,
    });
  }
}

async function replace(target: string, data: string | Uint8Array, mode: number): Promise<void> {
  const temporary = join(dirname(target), temporaryName(basename(target)));
  const before = await stat(target).catch(absent);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    try {
      await handle.writeFile(data);
      await keepAccess(handle, before, mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(target));
}

/**
 * A name beside a file, for what is to replace it. Whoever sweeps up after a crash knows whose it is by how the
 * file's own name begins and ends: a long one loses its middle. It is never too long for a file system.
 */
export function temporaryName(name: string): string {
  const bytes = Buffer.from(name);
  const begin = bytes
    .subarray(0, 100)
    .toString()
    .replace(/\uFFFD+$/, '');
  const end = bytes
    .subarray(-100)
    .toString()
    .replace(/^\uFFFD+/, '');
  // Hidden, so that no glob of a configuration directory finds it.
  return `.${bytes.length <= 200 ? name : begin + end}.${randomUUID()}.tmp`;
}

async function keepAccess(
  handle: FileHandle,
  before: { readonly mode: number; readonly uid: number; readonly gid: number } | undefined,
  mode: number,
): Promise<void> {
  const created = await handle.stat();
  if (before && (before.uid !== created.uid || before.gid !== created.gid)) {
    // Only root may give a file away; anyone else owns what it writes.
    await handle.chown(before.uid, before.gid).catch(() => undefined);
  }
  await handle.chmod(before ? before.mode & 0o7777 : mode);
}

/** The rename itself must survive a power failure; some file systems cannot sync a directory. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

async function realpathOf(path: string): Promise<string> {
  return realpath(path).catch((error: unknown) => {
    absent(error);
    return path;
  });
}

function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  return undefined;
}
