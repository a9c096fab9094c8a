import type { CatalogView } from '../../../catalog/types.js';
import type { HaproxyConfig } from '../block/schema.js';
import { balanceIssues } from './balanceIssues.js';
import type { HaproxyIssue } from './issue.js';
import { latencyIssues, latencySettings } from './latencyIssues.js';
import { withLatencies } from './latencyLines.js';
import type { SectionCache } from './sectionCache.js';
import type { DesiredState } from '../types.js';

/** A state, and what was left out of it. */
export interface StateWithIssues {
  readonly desired: DesiredState;
  readonly issues: readonly HaproxyIssue[];
}

/** The state with the lines that count latencies, where this HAProxy can (`canCount`), and what is in their way. */
export function withLatencyLines(
  { desired: plain, issues }: StateWithIssues,
  config: Pick<HaproxyConfig, 'latencyCounter'>,
  view: CatalogView,
  canCount = true,
  memo?: SectionCache['counting'],
): StateWithIssues {
  const settings = canCount ? latencySettings(config, view) : undefined;
  const desired = withLatencies(plain, settings, memo);
  const all = [...issues, ...latencyIssues(config, plain, settings)];
  return { desired, issues: [...all, ...balanceIssues(desired, all)] };
}
