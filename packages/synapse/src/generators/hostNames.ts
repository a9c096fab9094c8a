import type { ServiceView } from '../catalog/types.js';
import { isAddress } from './names.js';

const known = new WeakMap<ServiceView, readonly string[]>();

/** The hosts of a service's instances that are names, each once. A view is looked through once. */
export function hostNamesOf(view: ServiceView): readonly string[] {
  const before = known.get(view);
  if (before !== undefined) return before;
  const names = [...new Set(view.instances.flatMap(({ host }) => (isAddress(host) ? [] : [host])))];
  known.set(view, names);
  return names;
}
