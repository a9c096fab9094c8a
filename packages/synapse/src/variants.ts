import type { ParsedFile } from '@smartstack/agent';
import { noPlugins, type Plugins } from '@smartstack/agent/plugins';

import type { Variants } from './config/serviceReader.js';
import { addModuleGenerators } from './generators/plugin.js';
import type { GeneratorTable } from './generators/types.js';
import { resolverKeys } from './resolvers/index.js';
import {
  type Discovery,
  discoveryKeys,
  discoveryMultiSchema,
  discoverySchema,
  lintDiscovery,
  portlessIn,
} from './watchers/index.js';
import { useModules } from './useModules.js';

const builtInGenerators = new WeakMap<GeneratorTable, ReadonlySet<string>>();

/**
 * The variants that there are, as the configuration needs them. Reading a configuration adds the generators of modules
 * to `generators`, where `plugins` are given.
 */
export function variantsOf(generators: GeneratorTable, plugins?: Plugins): Variants<Discovery> {
  // What was added is looked at again at each reading.
  const builtIn = builtInGenerators.get(generators) ?? new Set(generators.keys());
  builtInGenerators.set(generators, builtIn);
  return {
    ...{ discovery: discoverySchema, discoveryMulti: discoveryMultiSchema },
    ...{ discoveryKeys, resolverKeys, lintDiscovery, portlessIn, generators },
    useModules: (discovery, at) => useModules(discovery, at, plugins ?? noPlugins),
    ...(plugins !== undefined && {
      addGenerators: (main: ParsedFile) => addModuleGenerators(generators, builtIn, main, plugins),
    }),
  };
}
