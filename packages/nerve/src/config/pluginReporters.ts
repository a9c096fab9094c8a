import type { ConfigIssue } from '@smartstack/agent';
import type { ReporterEntry } from '../reporters/index.js';
import { pluginPlace, reporterKindIn } from '../reporters/plugin.js';
import { kindsOf } from '@smartstack/agent/plugins';
import { type PluginPlace, usePlugin } from './usePlugin.js';

const kindOf = kindsOf(reporterKindIn);

/** Loads what reporters need of modules, and looks at their options. An issue at its place for each that cannot be used. */
export async function usePluginReporters(
  reporters: readonly ReporterEntry[],
  place: PluginPlace,
): Promise<{ readonly reporters: readonly ReporterEntry[]; readonly issues: readonly ConfigIssue[] }> {
  const issues: ConfigIssue[] = [];
  const used: ReporterEntry[] = [];
  for (const [index, entry] of reporters.entries()) {
    if (entry.type !== 'plug-in') {
      used.push(entry);
      continue;
    }
    const use = await usePlugin(
      entry.settings.module,
      index,
      place,
      kindOf,
      issues,
      ({ kind, options, url }) => ({
        ...{ url, kind, options },
        place: pluginPlace(kind, options),
      }),
    );
    used.push({ ...entry, settings: { ...entry.settings, use } });
  }
  return { reporters: used, issues };
}
