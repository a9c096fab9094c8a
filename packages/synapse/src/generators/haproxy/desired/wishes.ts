import type { CatalogView, ServiceView } from '../../../catalog/types.js';
import { readServiceBlock } from '../block/blocks.js';
import type { HaproxyConfig } from '../block/schema.js';
import type { HaproxyServiceConfig } from '../block/serviceSchema.js';
import { callerLines } from './callerLines.js';
import { bindAddresses, holders, type Wish } from './claims.js';
import { ownerOf } from './tierNames.js';
import type { DesiredState } from '../types.js';

/**
 * True while nobody knows a service's instances: nothing was told yet, or all that this run of the agent
 * was told is that there are none, and the service is to keep its previous ones.
 */
export function isUnknown({ source, instances }: ServiceView): boolean {
  return source === 'pending' || (source === 'previous' && instances.length === 0);
}

/** The `bind` line of a service's frontend from its keys. */
export function bindLine(service: HaproxyServiceConfig, config: HaproxyConfig): string {
  const address = service.bindAddress ?? config.bindAddress;
  const port = service.port === null ? '' : `:${service.port ?? ''}`;
  return ['bind', `${address}${port}`, service.bindOptions ?? ''].filter((word) => word !== '').join(' ');
}

/** A service's wish follows from its block and the top-level one: each pair is read once. */
const wishes = new WeakMap<HaproxyServiceConfig, { readonly config: HaproxyConfig; readonly wish: Wish }>();

function statedWish(name: string, service: HaproxyServiceConfig, config: HaproxyConfig): Wish {
  const backend = service.backendName ?? name;
  const known = wishes.get(service);
  if (known?.config === config && known.wish.backend === backend) return known.wish;
  const callers = callerLines(service.callers, service, config);
  const lines = [...service.frontend, ...service.listen, bindLine(service, config), ...callers];
  const wish = { backend, addresses: service.port === undefined ? [] : bindAddresses(lines) };
  wishes.set(service, { config, wish });
  return wish;
}

/** What a service asks for; `all`, where its last good sections may stand in for it. */
function wishOf(view: ServiceView, config: HaproxyConfig): Wish | 'all' | undefined {
  if (view.blocks.haproxy === undefined || view.blocks.haproxy === null) return undefined;
  const { config: service } = readServiceBlock(view.blocks.haproxy);
  if (service?.disabled) return undefined;
  if (service === undefined || isUnknown(view)) return 'all';
  return statedWish(view.name, service, config);
}

/** Who keeps what of the last accepted configuration, by key of `Claims`. */
export function heldIn(view: CatalogView, config: HaproxyConfig, lastGood: DesiredState | undefined) {
  const services = new Map(view.services.map((service) => [service.name, service]));
  const unreadable = new Set(view.unreadable);
  return holders(lastGood, (name) => {
    const service = services.get(name);
    if (unreadable.has(ownerOf(name))) return 'all';
    return service === undefined ? undefined : wishOf(service, config);
  });
}
