import type { BigIntStats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** What is asked of the file system, which may hang: a network's server that is gone answers nothing. */
export interface Disk {
  stat(path: string): Promise<BigIntStats>;
  readdir(path: string): Promise<readonly string[]>;
  realpath(path: string): Promise<string>;
}

/** The machine's file systems. */
export const systemDisk: Disk = { stat: (path) => stat(path, { bigint: true }), readdir, realpath };

/** What to watch in order to notice every change of some paths. */
export interface WatchTargets {
  /** Existing directories, without symbolic links. */
  readonly directories: ReadonlySet<string>;
  /** Differs when a directory of the same name is another one than before. */
  readonly key: string;
}

// One question after the other, here and below: libuv has four threads for all files and all names of the process.

/**
 * A text that differs when a file, or the list of files in a directory, or any of them does. That of several paths
 * is those of each, joined by a newline.
 */
export async function fingerprint(paths: readonly string[], disk: Disk = systemDisk): Promise<string> {
  const found: string[] = [];
  for (const path of paths) {
    found.push('', await identity(path, disk));
    for (const entry of await entries(path, disk)) found.push(await identity(entry, disk));
  }
  return found.join('\n');
}

/** Works out what to watch for `paths` now; changes when links, files and directories come and go. */
export async function watchTargets(paths: readonly string[], disk: Disk): Promise<WatchTargets> {
  const directories = new Set<string>();
  for (const path of paths.map((one) => resolve(one))) {
    directories.add(await nearestDirectory(dirname(path), disk));
    for (const one of [path, ...(await entries(path, disk))]) {
      const real = await orUndefined(disk.realpath(one));
      if (real === undefined) continue;
      directories.add(one === path && (await isDirectory(real, disk)) ? real : dirname(real));
    }
  }
  const identities: string[] = [];
  for (const directory of [...directories].sort()) identities.push(await directoryIdentity(directory, disk));
  return { directories, key: identities.join('\n') };
}

/** Files of a directory that may matter: no hidden ones, no backups of editors. */
async function entries(path: string, disk: Disk): Promise<readonly string[]> {
  const names = (await orUndefined(disk.readdir(path))) ?? [];
  const visible = names.filter((name) => !name.startsWith('.') && !name.endsWith('~'));
  return visible.sort().map((name) => join(path, name));
}

/** The deepest directory on the way to `directory` that exists. */
async function nearestDirectory(directory: string, disk: Disk): Promise<string> {
  const real = await orUndefined(disk.realpath(directory));
  if (real !== undefined && (await isDirectory(real, disk))) return real;
  const parent = dirname(directory);
  return parent === directory ? directory : nearestDirectory(parent, disk);
}

async function isDirectory(path: string, disk: Disk): Promise<boolean> {
  return (await orUndefined(disk.stat(path)))?.isDirectory() ?? false;
}

async function identity(path: string, disk: Disk): Promise<string> {
  const found = await orUndefined(disk.stat(path));
  if (!found) return `${path} -`;
  // A directory changes with everything in it, also with what does not matter; its files tell more.
  if (found.isDirectory()) return `${path} directory`;
  return `${path} ${found.dev} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs} ${found.mode}`;
}

async function directoryIdentity(path: string, disk: Disk): Promise<string> {
  const found = await orUndefined(disk.stat(path));
  return `${path} ${found?.dev ?? 0n} ${found?.ino ?? 0n} ${found?.birthtimeNs ?? 0n}`;
}

function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch(() => undefined);
}
