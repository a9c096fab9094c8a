import type { Discovery } from '../watchers/index.js';
import type { znodeKeys } from '../watchers/znodes/keys.js';
import type * as z from 'zod';

/** What is read of znodes. */
export type ZnodeOptions = Pick<z.output<z.ZodObject<typeof znodeKeys>>, 'hosts' | 'path' | 'decode'>;

/** One watcher of znodes. */
export interface ZnodeSource {
  readonly service: string;
  readonly isOnly: boolean;
  readonly znodes: ZnodeOptions;
}

/** The znodes that a service is discovered by; none for other sources. */
export function znodeOptionsOf(service: string, discovery: Discovery): readonly ZnodeSource[] {
  const { method } = discovery;
  if (method === 'zookeeper' || method === 'zookeeper_poll')
    return [{ service, isOnly: true, znodes: discovery }];
  // Their znodes hold names, which are instances once they are resolved.
  if (method === 'zookeeper_dns' || method === 'zookeeper_dns_poll')
    return [{ service, isOnly: false, znodes: discovery }];
  if (method !== 'multi') return [];
  return Object.entries(discovery.watchers).flatMap(([name, one]) =>
    znodeOptionsOf(`${service} (${name})`, one).map((each) => ({ ...each, isOnly: false })),
  );
}
