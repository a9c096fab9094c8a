import type { Clock } from '@smartstack/agent';
import type { CatalogView } from '../../catalog/types.js';
import type { Rendered } from '../types.js';
import type { HaproxyConfig } from './block/schema.js';
import { desiredState } from './desired/desired.js';
import { withLatencyLines } from './desired/latencyState.js';
import { emptyMemory } from './desired/memory.js';
import { withPrepared } from './desired/prepared.js';
import { render } from './desired/render.js';
import { HostResolver, type Lookup } from './hosts.js';

/** How long the DNS is waited for in all, in milliseconds. */
const lookupMs = 5_000;

/** The file for `view` as a synapse without any memory would write it, host names resolved, and what it lacks. */
export async function preview(
  config: HaproxyConfig,
  view: CatalogView,
  { clock, lookup }: { readonly clock: Clock; readonly lookup?: Lookup },
): Promise<Rendered> {
  const hosts = new HostResolver({
    ...{ clock, deadlineMs: lookupMs, retryMs: 2 * lookupMs, onChange: () => undefined },
    ...(lookup && { lookup }),
  });
  const addresses = await hosts.resolve(
    view.services.flatMap(({ instances }) => instances.map(({ host }) => host)),
  );
  const unresolved = [...hosts.problems].map(
    ([host, problem]) => `warning: cannot resolve ${host}: ${problem}`,
  );
  // Forgets the names, and with them the timers that would ask again.
  await hosts.resolve([]);
  const all = withPrepared(view, config);
  const { desired, issues } = withLatencyLines(
    desiredState(config, all, emptyMemory, addresses, 0),
    config,
    all,
  );
  const notes = issues.map(({ severity, reason, service, instance }) =>
    [severity, service, instance, reason].filter((part) => part !== undefined).join(': '),
  );
  return { text: render(desired), notes: [...unresolved, ...notes] };
}
