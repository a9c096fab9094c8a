import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Nothing that a configuration names beside itself (secrets, certificates) is anywhere near as large, in bytes. */
const usualMaxBytes = 1024 * 1024;

/**
 * Reads a file that a configuration names. Rejects where it is no plain file, as opening or reading a pipe or a
 * device may never end, and where it has more than `maxBytes`.
 */
export async function readPlainFile(path: string, maxBytes = usualMaxBytes): Promise<Buffer> {
  return (await openPlainFile(path, maxBytes)).content;
}

/** The same, with who may do what to it: the bits of its mode. */
export async function openPlainFile(
  path: string,
  maxBytes = usualMaxBytes,
): Promise<{ readonly content: Buffer; readonly mode: number }> {
  // Opening a pipe must not wait for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error(`${path}: it is no plain file`);
    const chunks: Buffer[] = [];
    let length = 0;
    // Not by its size: files of the kernel have none.
    for (;;) {
      const { bytesRead, buffer } = await file.read({ buffer: Buffer.alloc(16 * 1024) });
      if (bytesRead === 0) return { content: Buffer.concat(chunks), mode: stats.mode & 0o777 };
      chunks.push(buffer.subarray(0, bytesRead));
      length += bytesRead;
      if (length > maxBytes) throw new Error(`${path}: it has more than ${maxBytes} bytes`);
    }
  } finally {
    await file.close();
  }
}
