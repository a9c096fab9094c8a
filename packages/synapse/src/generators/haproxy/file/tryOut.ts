import { readFile, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory, writeFileAtomic } from '@smartstack/agent';

/**
 * Puts `text` at `path` and calls `load`; where that returns false, what was there is put back. Returns what `load`
 * does. Throws what it throws, the text staying, and AgentError `file_write`.
 */
export async function tryOut(path: string, text: string, load: () => Promise<boolean>): Promise<boolean> {
  const before = await readFile(path).catch(() => undefined);
  await makeDirectory(dirname(path)).catch(() => undefined);
  await writeFileAtomic(path, text);
  if (await load()) return true;
  await (before === undefined ? unlink(path) : writeFileAtomic(path, before));
  return false;
}
