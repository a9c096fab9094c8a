import type { ConfigIssue } from '@smartstack/agent';
import type { CheckOptions } from '../checks/index.js';
import { kindIn } from '../checks/plugin.js';
import { kindsOf } from '@smartstack/agent/plugins';
import { type PluginPlace, usePlugin } from './usePlugin.js';

const kindOf = kindsOf(kindIn);

/** Loads what checks need of modules, and looks at their options. An issue at its place for each that cannot be used. */
export async function usePlugins(
  checks: readonly CheckOptions[],
  place: PluginPlace,
): Promise<{ readonly checks: readonly CheckOptions[]; readonly issues: readonly ConfigIssue[] }> {
  const issues: ConfigIssue[] = [];
  const used: CheckOptions[] = [];
  for (const [index, check] of checks.entries()) {
    if (check.type !== 'plug-in') {
      used.push(check);
      continue;
    }
    const found = await usePlugin(check.module, index, place, kindOf, issues, ({ kind, options, url }) => {
      const { rise, fall } = Object(options) as { readonly rise?: unknown; readonly fall?: unknown };
      return { rise: inRow(rise), fall: inRow(fall), use: { url, options, create: kind.create } };
    });
    used.push({ ...check, ...found });
  }
  return { checks: used, issues };
}

/** How many results in a row count, where a kind has an option for it. Throws on what no number of results is. */
function inRow(value: unknown): number {
  if (value === undefined || value === null) return 1;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 1000) return value;
  throw new Error('rise and fall must be whole numbers from 1 to 1000');
}
