import type { Instance } from '@smartstack/registry';

import { Catalog } from './catalog/catalog.js';
import type { CatalogView } from './catalog/types.js';
import { type Configuration, expandCopies } from './config/load.js';
import type { DiscoveryOptions } from './config/service.js';

/** The view that generators would see if the registry held exactly `discovered`, the instances of services by name. */
export function viewOf<D extends DiscoveryOptions>(
  configuration: Configuration<D>,
  discovered: ReadonlyMap<string, readonly Instance[]>,
): CatalogView {
  const catalog = new Catalog();
  const services = expandCopies(configuration.services);
  catalog.define(new Map([...services].map(([name, { rules }]) => [name, rules])), 0, 0);
  for (const name of services.keys())
    catalog.update(name, { status: 'live', instances: discovered.get(name) ?? [] }, 0);
  return catalog.read(0).view;
}
