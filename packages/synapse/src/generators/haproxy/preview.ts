import type { Clock } from '@smartstack/agent';
import type { CatalogView } from '../../catalog/types.js';
import type { Rendered } from '../types.js';
import type { HaproxyConfig } from './block/schema.js';
import { desiredState } from './desired/desired.js';
import { withOwnLines } from './desired/ownLines.js';
import { emptyMemory } from './desired/memory.js';
import { withPrepared } from './desired/prepared.js';
import { render } from './desired/render.js';
import { type Lookup, resolveOnce } from '../hosts.js';

/** The file for `view` as a synapse without any memory would write it, host names resolved, and what it lacks. */
export async function preview(
  config: HaproxyConfig,
  view: CatalogView,
  { clock, lookup }: { readonly clock: Clock; readonly lookup?: Lookup },
): Promise<Rendered> {
  const { addresses, problems } = await resolveOnce(view, clock, lookup);
  const unresolved = [...problems].map(([host, problem]) => `warning: cannot resolve ${host}: ${problem}`);
  const all = withPrepared(view, config);
  const wanted = desiredState(config, all, emptyMemory, addresses, 0);
  const { desired, issues } = withOwnLines(wanted, config, all);
  const notes = issues.map(({ severity, reason, service, instance }) =>
    [severity, service, instance, reason].filter((part) => part !== undefined).join(': '),
  );
  return { text: render(desired), notes: [...unresolved, ...notes] };
}
