import type { ConfigIssue } from '@smartstack/agent';
import type { CheckOptions } from '../checks/index.js';
import { kindIn } from '../checks/plugin.js';
import { kindsOf, type PluginPlace, usePlugin } from './usePlugin.js';

const kindOf = kindsOf(kindIn);

/** Loads what checks need of modules, and looks at their options. An issue at its place for each that cannot be used. */
export async function usePlugins(
  checks: readonly CheckOptions[],
  place: PluginPlace,
): Promise<{ readonly checks: readonly CheckOptions[]; readonly issues: readonly ConfigIssue[] }> {
  const issues: ConfigIssue[] = [];
  const used: CheckOptions[] = [];
  for (const [index, check] of checks.entries()) {
    const found =
      check.type === 'plug-in' ? await usePlugin(check.module, index, place, kindOf, issues) : undefined;
    if (check.type !== 'plug-in' || found === undefined) {
      used.push(check);
      continue;
    }
    const { url, kind, options } = found;
    const { rise, fall } = Object(options) as { readonly rise?: unknown; readonly fall?: unknown };
    used.push({
      ...check,
      rise: typeof rise === 'number' ? rise : 1,
      fall: typeof fall === 'number' ? fall : 1,
      use: { url, options, create: kind.create },
    });
  }
  return { checks: used, issues };
}
