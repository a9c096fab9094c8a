import { readFile } from 'node:fs/promises';
import { describeError, type Logger, writeFileAtomic } from '@smartstack/agent';

/** Where the text of a file is kept that HAProxy loaded last. */
export function lastGoodOf(path: string): string {
  return `${path}.last-good`;
}

/** Copies a file to `<path>.last-good`. Its failure, which is told, costs only the copy. */
export async function copyLastGood(path: string, logger: Logger): Promise<void> {
  try {
    await writeFileAtomic(lastGoodOf(path), await readFile(path));
  } catch (error) {
    logger.warn('the last good configuration could not be kept', { problem: describeError(error) });
  }
}
