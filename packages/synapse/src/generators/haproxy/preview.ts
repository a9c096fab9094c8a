import type { Clock } from '@smartstack/agent';
import type { CatalogView } from '../../catalog/types.js';
import type { Rendered } from '../types.js';
import type { HaproxyConfig } from './block/schema.js';
import { desiredState } from './desired/desired.js';
import { withSeparateNames } from './desired/frontendNames.js';
import { withOwnLines } from './desired/ownLines.js';
import { emptyMemory } from './desired/memory.js';
import { withPrepared } from './desired/prepared.js';
import { render } from './desired/render.js';
import { commonAbilities } from './plan/capabilities.js';
import { InstalledHaproxy } from './process/installed.js';
import { type Lookup, resolveOnce } from '../hosts.js';

/** For one answer of the executable, in milliseconds. */
const versionMs = 5_000;

/** What the HAProxy that is installed takes; without one, what those of today do. */
async function abilitiesOf(
  { haproxyBinary }: HaproxyConfig,
  clock: Clock,
): Promise<ReturnType<typeof commonAbilities>> {
  const version = await new InstalledHaproxy(haproxyBinary, { clock, timeoutMs: versionMs }).current();
  return version === undefined ? { separateNames: false, counterArrays: true } : commonAbilities([version]);
}

/**
 * The file for `view` as a synapse without any memory would write it for the HAProxy that is installed, host names
 * resolved, and what it lacks.
 */
export async function preview(
  config: HaproxyConfig,
  view: CatalogView,
  { clock, lookup }: { readonly clock: Clock; readonly lookup?: Lookup },
): Promise<Rendered> {
  const { addresses, problems } = await resolveOnce(view, clock, lookup);
  const unresolved = [...problems].map(([host, problem]) => `warning: cannot resolve ${host}: ${problem}`);
  const all = withPrepared(view, config);
  const wanted = desiredState(config, all, emptyMemory, addresses, 0);
  const { separateNames, counterArrays } = await abilitiesOf(config, clock);
  const { desired, issues } = withOwnLines(wanted, config, all, counterArrays);
  const notes = issues.map(({ severity, reason, service, instance }) =>
    [severity, service, instance, reason].filter((part) => part !== undefined).join(': '),
  );
  return {
    text: render(separateNames ? withSeparateNames(desired) : desired),
    notes: [...unresolved, ...notes],
  };
}
