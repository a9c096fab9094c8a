import { type ConfigIssue, validateConfig } from '@smartstack/agent';
import type { Plugins } from '@smartstack/agent/plugins';

import type { Place } from './config/source.js';
import { useModule } from './plugins/use.js';
import { resolverModuleOf } from './resolvers/plugin.js';
import type { Discovery } from './watchers/index.js';
import { pluginBase, pluginKeys, watcherModuleOf } from './watchers/plugin.js';

/** A discovery whose modules are loaded, and what is wrong with those. */
interface Used {
  readonly discovery: Discovery;
  readonly issues: readonly ConfigIssue[];
}

type Inner = Extract<Discovery, { method: 'multi' }>['watchers'][string];

/** Loads the modules that a discovery names, of watchers and of its resolver. `at` is the place of a path in it. */
export async function useModules(
  discovery: Discovery,
  at: (path: readonly PropertyKey[]) => Place,
  plugins: Plugins,
): Promise<Used> {
  const issues: ConfigIssue[] = [];
  const useWatcher = async (one: Inner, place: Place): Promise<Inner> => {
    if (one.method !== 'plug-in') return one;
    const used = await useModule(one.module, place, pluginKeys, plugins, watcherModuleOf);
    const { issues: ofFilters } = validateConfig(place.parsed, pluginBase(), place.path);
    issues.push(...used.issues, ...ofFilters);
    return { ...one, use: used.use };
  };
  if (discovery.method !== 'multi') return { discovery: await useWatcher(discovery, at([])), issues };
  const watchers: [string, Inner][] = [];
  for (const [name, one] of Object.entries(discovery.watchers))
    watchers.push([name, await useWatcher(one, at(['watchers', name]))]);
  let { resolver } = discovery;
  if (resolver.method === 'plug-in') {
    const place = at(['resolver']);
    const used = await useModule(resolver.module, place, ['method', 'module'], plugins, resolverModuleOf);
    issues.push(...used.issues);
    resolver = { ...resolver, use: used.use };
  }
  return { discovery: { ...discovery, watchers: Object.fromEntries(watchers), resolver }, issues };
}
