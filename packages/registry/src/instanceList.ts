import { byText } from '@smartstack/agent';
import type * as z from 'zod';
import type { Instance } from './instance.js';
import type { instanceListSchema } from './instanceListSchema.js';

/** The instances of one service, for programs that want a list. */
export type InstanceList = z.output<typeof instanceListSchema>;

/** Makes the list that is shown of what was found. Problems beyond the first 50 are left out. */
export function instanceList(
  found: Pick<InstanceList, 'service' | 'source' | 'problems'> & { readonly instances: readonly Instance[] },
): InstanceList {
  const { service, source, problems } = found;
  const instances = found.instances
    .map(({ host, port, name, id, weight, haproxyServerOptions, labels, held }) => ({
      host,
      port,
      ...(name !== undefined && { name }),
      ...(id !== undefined && { id }),
      ...(weight !== undefined && { weight }),
      ...(haproxyServerOptions !== undefined && { haproxyServerOptions }),
      ...(labels !== undefined && { labels }),
      ...(held && { held }),
    }))
    .sort(
      (a, b) =>
        byText(a.host, b.host) ||
        a.port - b.port ||
        byText(a.name ?? '', b.name ?? '') ||
        (a.id ?? 0) - (b.id ?? 0),
    );
  return { service, source, instances, problems: problems.slice(0, 50) };
}
