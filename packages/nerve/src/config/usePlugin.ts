import { type ConfigIssue, describeError, formatPath, type ParsedFile } from '@smartstack/agent';
import type * as z from 'zod';
import type { FindKind, Plugins } from '@smartstack/agent/plugins';
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

/**
 * Loads what one entry needs, looks at its options, and makes of both what the entry gets. Undefined: it cannot be
 * used, and `issues` has grown by why, whatever of the module's throws.
 */
export async function usePlugin<Kind extends { readonly schema: z.ZodType }, Use>(
  module: string,
  index: number,
  { parsed, at, plugins }: PluginPlace,
  kindOf: FindKind<Kind>,
  issues: ConfigIssue[],
  make: (used: UsedPlugin<Kind>) => Use,
): Promise<Use | undefined> {
  const here = [...at, index];
  const there = [...here, 'module'];
  try {
    const loaded = await plugins.load(module, parsed.file);
    const kind = await kindOf(loaded, plugins);
    const own = { ...parsed, value: without(parsed.value, [there]) };
    const { value, issues: found } = validateLeniently(own, kind.schema, here);
    issues.push(...found);
    return value === undefined ? undefined : make({ url: loaded.url, kind, options: value });
  } catch (error) {
    const message = describeError(error);
    const where = { file: parsed.file, ...parsed.at(there), path: formatPath(there) };
    issues.push({ ...where, message, severity: 'error' });
    return undefined;
  }
}
