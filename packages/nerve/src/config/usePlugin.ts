import { type ConfigIssue, describeError, formatPath, type ParsedFile } from '@smartstack/agent';
import type * as z from 'zod';
import type { LoadedModule, Plugins } from '../plugins/loader.js';
import { validateLeniently, without } from './lenient.js';

/** Where a list stands whose entries may name modules, and who loads those. */
export interface PluginPlace {
  readonly parsed: ParsedFile;
  /** The path of the list. */
  readonly at: readonly PropertyKey[];
  readonly plugins: Plugins;
}

/** What an entry needs of a module: a version of it, the kind that it defines, and the entry's options as that sees them. */
export interface UsedPlugin<Kind> {
  readonly url: string;
  readonly kind: Kind;
  readonly options: unknown;
}

/** Finds the kind that a module defines, once for all entries that use it. */
export function kindsOf<Kind>(
  find: (exported: LoadedModule['exported']) => Promise<Kind>,
): (module: LoadedModule) => Promise<Kind> {
  const known = new WeakMap<LoadedModule, Kind>();
  return async (module) => {
    const kind = known.get(module) ?? (await find(module.exported));
    known.set(module, kind);
    return kind;
  };
}

/** Loads what one entry needs, and looks at its options. Undefined: it cannot be used, and `issues` has grown by why. */
export async function usePlugin<Kind extends { readonly schema: z.ZodType }>(
  module: string,
  index: number,
  { parsed, at, plugins }: PluginPlace,
  kindOf: (module: LoadedModule) => Promise<Kind>,
  issues: ConfigIssue[],
): Promise<UsedPlugin<Kind> | undefined> {
  const here = [...at, index];
  const there = [...here, 'module'];
  try {
    const loaded = await plugins.load(module, parsed.file);
    const kind = await kindOf(loaded);
    const own = { ...parsed, value: without(parsed.value, [there]) };
    const { value, issues: found } = validateLeniently(own, kind.schema, here);
    issues.push(...found);
    return value === undefined ? undefined : { url: loaded.url, kind, options: value };
  } catch (error) {
    const message = describeError(error);
    const where = { file: parsed.file, ...parsed.at(there), path: formatPath(there) };
    issues.push({ ...where, message, severity: 'error' });
    return undefined;
  }
}
