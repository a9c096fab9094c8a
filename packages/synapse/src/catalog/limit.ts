import { byText } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';

/** No service of ours has more, and whatever shows them must go on working. */
export const maxInstances = 10_000;

const order = ({ host, port, name = '' }: Instance): string => `${host} ${port} ${name}`;

/**
 * So many instances as a service can have, and how many are left out: always the same ones, in whatever order the
 * registry lists them.
 */
export function withinLimit(instances: readonly Instance[]): {
  readonly instances: readonly Instance[];
  readonly leftOut: number;
} {
  const leftOut = Math.max(0, instances.length - maxInstances);
  if (leftOut === 0) return { instances, leftOut };
  const keyed = instances.map((instance) => [order(instance), instance] as const);
  keyed.sort(([a], [b]) => byText(a, b));
  return { instances: keyed.slice(0, maxInstances).map(([, instance]) => instance), leftOut };
}
