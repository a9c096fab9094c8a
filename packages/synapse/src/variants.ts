import type { Variants } from './config/serviceReader.js';
import type { GeneratorTable } from './generators/types.js';
import { resolverKeys } from './resolvers/index.js';
import {
  type Discovery,
  discoveryKeys,
  discoveryMultiSchema,
  discoverySchema,
  lintDiscovery,
  unsupportedMethods,
} from './watchers/index.js';

/** The variants that there are, as the configuration needs them. */
export function variantsOf(generators: GeneratorTable): Variants<Discovery> {
  return {
    ...{ discovery: discoverySchema, discoveryMulti: discoveryMultiSchema },
    ...{ discoveryKeys, resolverKeys, lintDiscovery, unsupportedMethods, generators },
  };
}
