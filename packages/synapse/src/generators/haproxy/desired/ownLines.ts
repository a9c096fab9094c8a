import type { CatalogView } from '../../../catalog/types.js';
import { readServiceBlock } from '../block/blocks.js';
import type { HaproxyConfig } from '../block/schema.js';
import { budgetIssues } from './budgetIssues.js';
import { withBudgets, withoutBudgets } from './budgetLines.js';
import { type StateWithIssues, withLatencyLines } from './latencyState.js';
import { withTap } from './tapLines.js';
import type { TapSettings } from '../types.js';

/** How services can be tapped; undefined where they cannot. */
function tapSettings({ tap }: Pick<HaproxyConfig, 'tap'>, view: CatalogView): TapSettings | undefined {
  if (!tap) return undefined;
  const except = view.services
    .filter(({ blocks }) => readServiceBlock(blocks.haproxy).config?.tap === false)
    .map(({ name }) => name);
  return { except };
}

/**
 * The state with the lines that count latencies, those of budgets of retries and those of the tap, where this HAProxy
 * takes them (`isAble`), and what is in the way of the former two. That of a tap is told to whoever asks for one.
 */
export function withOwnLines(
  plain: StateWithIssues,
  config: Pick<HaproxyConfig, 'latencyCounter' | 'tap'>,
  view: CatalogView,
  isAble = true,
): StateWithIssues {
  const bare = { ...plain, desired: withoutBudgets(plain.desired) };
  const { desired: counted, issues } = withLatencyLines(bare, config, view, isAble);
  const desired = isAble ? withBudgets(counted) : counted;
  return {
    desired: withTap(desired, isAble ? tapSettings(config, view) : undefined),
    issues: [...issues, ...budgetIssues(desired, isAble)],
  };
}
