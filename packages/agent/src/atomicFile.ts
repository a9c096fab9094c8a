import { randomUUID } from 'node:crypto';
import { type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AgentError, describeError } from './errors.js';

export interface AtomicWriteOptions {
  /** Permissions of a file that does not exist yet (default 0o644). An existing file keeps its own. */
  readonly mode?: number;
}

/** What a file is to hold: text (UTF-8), bytes, or bytes in parts, one after the other. */
export type FileData = string | Uint8Array | readonly Uint8Array[];

/**
 * Replaces a file so that a reader, or a machine that loses power, sees the old content or the new,
 * never a part. A symbolic link stays one. When it fails (disk full, no permission) the old file is as
 * it was and nothing else is left; throws AgentError `file_write`, retriable.
 */
export async function writeFileAtomic(
  path: string,
  data: FileData,
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

async function replace(target: string, data: FileData, mode: number): Promise<void> {
  // Hidden, so that no glob of a configuration directory finds it.
  const temporary = join(dirname(target), `.${shortened(basename(target))}.${randomUUID()}.tmp`);
  const before = await stat(target).catch(absent);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    try {
      if (typeof data === 'string' || data instanceof Uint8Array) await handle.writeFile(data);
      else await writeParts(handle, data);
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

/** Without putting them together: of a large file that costs more than to write it. */
async function writeParts(handle: FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  let rest = parts.filter(({ length }) => length > 0);
  while (rest.length > 0) {
    let { bytesWritten: left } = await handle.writev(rest);
    // A disk that is nearly full takes a part of it; the next attempt says so.
    const at = rest.findIndex(({ length }) => (left -= length) < 0);
    const first = at < 0 ? undefined : rest[at];
    if (first === undefined) return;
    rest = [first.subarray(first.length + left), ...rest.slice(at + 1)];
  }
}

/** Leaves room for the rest of a temporary name. Whose file it is stands at a name's beginning or at its end. */
function shortened(name: string): string {
  return name.length <= 100 ? name : name.slice(0, 40) + name.slice(-60);
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
