import { type ConfigIssue, describeError, formatPath, type ParsedFile } from '@smartstack/agent';
import type { CheckOptions } from '../checks/index.js';
import { kindIn, type PluginKind, type PluginOptions } from '../checks/plugin.js';
import type { LoadedModule, Plugins } from '../plugins/loader.js';
import { validateLeniently, without } from './lenient.js';

/** The kinds that modules define: the same for all checks that use one. */
const kinds = new WeakMap<LoadedModule, PluginKind>();

/** Where checks stand, and who loads the modules that they name. */
interface Place {
  readonly parsed: ParsedFile;
  /** The path of the list. */
  readonly at: readonly PropertyKey[];
  readonly plugins: Plugins;
}

/** Loads what checks need of modules, and looks at their options. An issue at its place for each that cannot be used. */
export async function usePlugins(
  checks: readonly CheckOptions[],
  place: Place,
): Promise<{ readonly checks: readonly CheckOptions[]; readonly issues: readonly ConfigIssue[] }> {
  const issues: ConfigIssue[] = [];
  const used: CheckOptions[] = [];
  for (const [index, check] of checks.entries()) {
    used.push(check.type === 'plug-in' ? await use(check, index, place, issues) : check);
  }
  return { checks: used, issues };
}

async function use(
  check: PluginOptions,
  index: number,
  { parsed, at, plugins }: Place,
  issues: ConfigIssue[],
): Promise<PluginOptions> {
  const here = [...at, index];
  const there = [...here, 'module'];
  try {
    const module = await plugins.load(check.module, parsed.file);
    const kind = kinds.get(module) ?? (await kindIn(module.exported));
    kinds.set(module, kind);
    const own = { ...parsed, value: without(parsed.value, [there]) };
    const { value, issues: found } = validateLeniently(own, kind.schema, here);
    issues.push(...found);
    if (value === undefined) return check;
    const { rise, fall } = Object(value) as { readonly rise?: unknown; readonly fall?: unknown };
    return {
      ...check,
      rise: typeof rise === 'number' ? rise : 1,
      fall: typeof fall === 'number' ? fall : 1,
      use: { url: module.url, options: value, create: kind.create },
    };
  } catch (error) {
    const message = describeError(error);
    const where = { file: parsed.file, ...parsed.at(there), path: formatPath(there) };
    issues.push({ ...where, message, severity: 'error' });
    return check;
  }
}
