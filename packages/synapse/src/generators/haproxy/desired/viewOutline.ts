import type { ServiceView } from '../../../catalog/types.js';
import { Outlines } from './outlines.js';

/** A service without its instances. */
export interface ViewOutline {
  readonly name: string;
  /** Its `haproxy` block. */
  readonly block: unknown;
  /** See `isUnknown`. */
  readonly isUnknown: boolean;
}

/**
 * True while nobody knows a service's instances: nothing was told yet, or all that this run of the agent
 * was told is that there are none, and the service is to keep its previous ones.
 */
export function isUnknown({ source, instances }: ServiceView): boolean {
  return source === 'pending' || (source === 'previous' && instances.length === 0);
}

const outlines = new Outlines<ServiceView, ViewOutline>(
  (view) => ({ name: view.name, block: view.blocks.haproxy, isUnknown: isUnknown(view) }),
  (view, outline) =>
    view.blocks.haproxy === outline.block &&
    view.name === outline.name &&
    isUnknown(view) === outline.isUnknown,
);

/** The services without their instances: the very same list as long as only instances change. */
export function viewOutlines(services: readonly ServiceView[]): readonly ViewOutline[] {
  return outlines.of(services);
}
