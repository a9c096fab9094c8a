import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** A file's content and when it was last changed, in wall clock milliseconds. */
export interface RegularFile {
  readonly data: Buffer;
  readonly modifiedMs: number;
}

/** Reads a file. Rejects when it is missing, larger than `maxBytes`, or a pipe, a device or a folder. */
export async function readRegularFile(path: string, maxBytes: number): Promise<RegularFile> {
  // Opening a pipe must not wait for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error('No plain file');
    // It may grow while it is read: what a file claims is not what it gives.
    const buffer = Buffer.alloc(Math.min(stat.size, maxBytes) + 1);
    let size = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, size, buffer.length - size);
      size += bytesRead;
      if (bytesRead === 0 || size === buffer.length) break;
    }
    if (size > maxBytes) throw new Error(`More than ${maxBytes} bytes`);
    if (size > stat.size) throw new Error('It changed while it was read');
    return { data: buffer.subarray(0, size), modifiedMs: stat.mtimeMs };
  } finally {
    await file.close();
  }
}
