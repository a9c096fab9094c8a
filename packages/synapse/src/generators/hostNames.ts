import type { Instance } from '@smartstack/registry';
import type { ServiceView } from '../catalog/types.js';
import { isAddress } from './names.js';

const known = new WeakMap<ServiceView, readonly string[]>();
/** Instances whose host is an address: views share most of theirs with the one before. */
const addressed = new WeakSet<Instance>();

function hasAddress(instance: Instance): boolean {
  if (addressed.has(instance)) return true;
  if (!isAddress(instance.host)) return false;
  addressed.add(instance);
  return true;
}

/** The hosts of a service's instances that are names, each once. A view is looked through once. */
export function hostNamesOf(view: ServiceView): readonly string[] {
  const before = known.get(view);
  if (before !== undefined) return before;
  const names = new Set<string>();
  for (const instance of view.instances) if (!hasAddress(instance)) names.add(instance.host);
  const list = [...names];
  known.set(view, list);
  return list;
}
