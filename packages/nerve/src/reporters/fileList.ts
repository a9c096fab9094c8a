import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '@smartstack/agent';
import {
  decodeRegistrationFile,
  type Instance,
  isFresh,
  isRegistrationFileName,
  registrationFilePrefix,
} from '@smartstack/registry';
import type { Found } from './reporter.js';

const maxBytes = 1024 * 1024;

/**
 * The instances of a service that are registered in a folder, and still count at `now` (wall clock milliseconds). No
 * folder: none. Rejects when the folder cannot be read.
 */
export async function listFiles(directory: string, service: string, now: number): Promise<Found> {
  const instances: Instance[] = [];
  const problems: Found['problems'][number][] = [];
  const prefix = registrationFilePrefix(service);
  const names = await readdir(directory).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  // One after the other: a file system that hangs must not take all threads that there are for files.
  for (const name of names.filter((one) => one.startsWith(prefix) && isRegistrationFileName(one))) {
    const path = join(directory, name);
    try {
      const found = await readOne(path);
      if (found === undefined) continue;
      const { content, modifiedMs } = found;
      if (content.service === service && isFresh(content, modifiedMs, now)) instances.push(content.instance);
    } catch (error) {
      problems.push({ path, reason: describeError(error) });
    }
  }
  return { instances, problems };
}

/** Undefined when it is gone meanwhile. */
async function readOne(path: string) {
  let file;
  try {
    // Opening a pipe must not wait for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error('no plain file');
    if (stat.size > maxBytes) throw new Error(`more than ${maxBytes} bytes`);
    return { content: decodeRegistrationFile(await file.readFile()), modifiedMs: stat.mtimeMs };
  } finally {
    await file.close();
  }
}
