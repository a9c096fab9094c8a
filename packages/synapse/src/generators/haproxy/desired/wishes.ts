import { readServiceBlock } from '../block/blocks.js';
import type { HaproxyConfig } from '../block/schema.js';
import type { HaproxyServiceConfig } from '../block/serviceSchema.js';
import { callerLines } from './callerLines.js';
import { bindAddresses, holders, type Wish } from './claims.js';
import { Memo } from './memo.js';
import { outlineOf } from './outline.js';
import { ownerOf } from './tierNames.js';
import type { ViewOutline } from './viewOutline.js';
import type { DesiredState } from '../types.js';

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
function wishOf({ name, block, isUnknown }: ViewOutline, config: HaproxyConfig): Wish | 'all' | undefined {
  if (block === undefined || block === null) return undefined;
  const { config: service } = readServiceBlock(block);
  if (service?.disabled) return undefined;
  if (service === undefined || isUnknown) return 'all';
  return statedWish(name, service, config);
}

const known = new Memo<readonly ViewOutline[], ReadonlyMap<string, string>>();

/**
 * Who keeps what of the last accepted configuration, by key of `Claims`: always the same map for the same services,
 * whatever their instances. Of those that are `unreadable` nothing is known but the name.
 */
export function heldIn(
  services: readonly ViewOutline[],
  unreadable: readonly string[] | undefined,
  config: HaproxyConfig,
  lastGood: DesiredState | undefined,
): ReadonlyMap<string, string> {
  const good = outlineOf(lastGood?.services ?? none);
  return known.of(services, [unreadable, config, good], () => {
    const byName = new Map(services.map((service) => [service.name, service]));
    const unread = new Set(unreadable);
    return holders(good, (name) => {
      const service = byName.get(name);
      if (unread.has(ownerOf(name))) return 'all';
      return service === undefined ? undefined : wishOf(service, config);
    });
  });
}

const none: DesiredState['services'] = [];
