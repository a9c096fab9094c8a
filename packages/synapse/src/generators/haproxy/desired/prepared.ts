import type { CatalogView } from '../../../catalog/types.js';
import type { HaproxyConfig } from '../block/schema.js';

/**
 * The view with the operator's prepared services: one that does not exist yet has its sections and no instances,
 * and one whose own definition says nothing of HAProxy takes its prepared block.
 */
export function withPrepared(view: CatalogView, { preparedServices }: HaproxyConfig): CatalogView {
  const prepared = new Map(Object.entries(preparedServices));
  if (prepared.size === 0) return view;
  const services = view.services.map((service) => {
    const haproxy = prepared.get(service.name);
    prepared.delete(service.name);
    const { blocks } = service;
    return haproxy === undefined || (blocks.haproxy !== undefined && blocks.haproxy !== null)
      ? service
      : { ...service, blocks: { ...blocks, haproxy } };
  });
  const missing = [...prepared].map(
    ([name, haproxy]) => ({ name, source: 'live', instances: [], blocks: { haproxy } }) as const,
  );
  return { ...view, services: [...services, ...missing] };
}
