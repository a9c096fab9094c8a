import type { CatalogView, ServiceView } from '../../../catalog/types.js';
import type { HaproxyConfig } from '../block/schema.js';

type Prepared = HaproxyConfig['preparedServices'];

/** Views are values by which later steps know what did not change: the same block and view make the same one. */
const empty = new WeakMap<Prepared, ReadonlyMap<string, ServiceView>>();
const filled = new WeakMap<ServiceView, { readonly haproxy: unknown; readonly view: ServiceView }>();

function emptyViews(prepared: Prepared): ReadonlyMap<string, ServiceView> {
  const known = empty.get(prepared);
  if (known !== undefined) return known;
  const views = new Map(
    Object.entries(prepared).map(([name, haproxy]): [string, ServiceView] => [
      name,
      { name, source: 'live', instances: [], blocks: { haproxy } },
    ]),
  );
  empty.set(prepared, views);
  return views;
}

function withBlock(service: ServiceView, haproxy: unknown): ServiceView {
  const known = filled.get(service);
  if (known !== undefined && known.haproxy === haproxy) return known.view;
  const view = { ...service, blocks: { ...service.blocks, haproxy } };
  filled.set(service, { haproxy, view });
  return view;
}

/**
 * The view with the operator's prepared services: one that does not exist yet has its sections and no instances,
 * and one whose own definition says nothing of HAProxy takes its prepared block.
 */
export function withPrepared(view: CatalogView, { preparedServices }: HaproxyConfig): CatalogView {
  const prepared = new Map(emptyViews(preparedServices));
  if (prepared.size === 0) return view;
  const services = view.services.map((service) => {
    const haproxy = prepared.get(service.name)?.blocks.haproxy;
    prepared.delete(service.name);
    const { blocks } = service;
    const isStated = blocks.haproxy !== undefined && blocks.haproxy !== null;
    return haproxy === undefined || isStated ? service : withBlock(service, haproxy);
  });
  return { ...view, services: [...services, ...prepared.values()] };
}
