import { type BigIntStats, readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** What to watch in order to notice every change of some paths. */
export interface WatchTargets {
  /** Existing directories, without symbolic links. */
  readonly directories: ReadonlySet<string>;
  /** Differs when a directory of the same name is another one than before. */
  readonly key: string;
}

/** A text that differs when a file, or the list of files in a directory, or any of them does. */
export function fingerprint(paths: readonly string[]): string {
  return paths.map((path) => [identity(path), ...entries(path).map(identity)].join('\n')).join('\n\n');
}

/** Works out what to watch for `paths` now; changes when links, files and directories come and go. */
export function watchTargets(paths: readonly string[]): WatchTargets {
  const directories = new Set<string>();
  for (const path of paths.map((one) => resolve(one))) {
    directories.add(nearestDirectory(dirname(path)));
    for (const one of [path, ...entries(path)]) {
      const real = realOf(one);
      if (real !== undefined) directories.add(isDirectory(real) && one === path ? real : dirname(real));
    }
  }
  return { directories, key: [...directories].sort().map(directoryIdentity).join('\n') };
}

/** Files of a directory that may matter: no hidden ones, no backups of editors. */
function entries(path: string): readonly string[] {
  try {
    const names = readdirSync(path).filter((name) => !name.startsWith('.') && !name.endsWith('~'));
    return names.sort().map((name) => join(path, name));
  } catch {
    return [];
  }
}

/** The deepest directory on the way to `directory` that exists. */
function nearestDirectory(directory: string): string {
  const real = realOf(directory);
  if (real !== undefined && isDirectory(real)) return real;
  const parent = dirname(directory);
  return parent === directory ? directory : nearestDirectory(parent);
}

function isDirectory(path: string): boolean {
  return statOf(path)?.isDirectory() ?? false;
}

function identity(path: string): string {
  const stat = statOf(path);
  if (!stat) return `${path} -`;
  // A directory changes with everything in it, also with what does not matter; its files tell more.
  if (stat.isDirectory()) return `${path} directory`;
  return `${path} ${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${stat.mode}`;
}

function directoryIdentity(path: string): string {
  const stat = statOf(path);
  return `${path} ${stat?.dev ?? 0n} ${stat?.ino ?? 0n} ${stat?.birthtimeNs ?? 0n}`;
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
