import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A module as it stands on disk now. */
export interface ModuleFile {
  readonly file: string;
  /** Another one for each version of the file: what was loaded from one is never loaded again. */
  readonly url: string;
}

/**
 * Finds a module that a configuration names: a path beside the file that names it, or a package that
 * is installed above that file or above the agent. Throws with what is missing.
 */
export function resolveModule(name: string, from: string): ModuleFile {
  const file = /^\.{0,2}\//.test(name) ? resolve(dirname(from), name) : packageEntry(name, from);
  const found = statSync(file);
  // A pipe would be waited for, in a thread that nothing ends.
  if (!found.isFile()) throw new Error(`${file}: it is no plain file`);
  return { file, url: `${pathToFileURL(file).href}?${found.mtimeMs}-${found.size}` };
}

function packageEntry(name: string, from: string): string {
  const places = [from, import.meta.url].map((place) => createRequire(place));
  for (const place of places) {
    try {
      return place.resolve(name);
    } catch {
      // A package for ES modules only is none for require.
      const folder = (place.resolve.paths(name) ?? [])
        .map((path) => join(path, name))
        .find((path) => existsSync(join(path, 'package.json')));
      const entry = folder === undefined ? undefined : entryForImport(join(folder, 'package.json'));
      if (folder !== undefined && entry !== undefined) return join(folder, entry);
    }
  }
  const beside = existsSync(resolve(dirname(from), name)) ? `; the file beside this one is ./${name}` : '';
  throw new Error(`there is no package ${name}${beside}`);
}

/** What a package gives to those who import it by its name. */
function entryForImport(file: string): string | undefined {
  const { exports } = JSON.parse(readFileSync(file, 'utf8')) as { readonly exports?: unknown };
  const main = isObject(exports) && '.' in exports ? exports['.'] : exports;
  return pick(main);
}

function pick(target: unknown): string | undefined {
  if (typeof target === 'string') return target;
  if (!isObject(target)) return undefined;
  return pick(target.import) ?? pick(target.node) ?? pick(target.default);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
