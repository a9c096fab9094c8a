import type { CatalogView } from '../../../catalog/types.js';
import { readServiceBlock } from '../block/blocks.js';
import type { HaproxyConfig } from '../block/schema.js';
import { budgetIssues } from './budgetIssues.js';
import { withBudgets, withoutBudgets } from './budgetLines.js';
import { type StateWithIssues, withLatencyLines } from './latencyState.js';
import { Memo } from './memo.js';
import { type ViewOutline, viewOutlines } from './viewOutline.js';
import type { SectionCache } from './sectionCache.js';
import { withTap } from './tapLines.js';
import type { TapSettings } from '../types.js';

const known = new Memo<readonly ViewOutline[], TapSettings>();

/** How services can be tapped; undefined where they cannot. */
function tapSettings({ tap }: Pick<HaproxyConfig, 'tap'>, view: CatalogView): TapSettings | undefined {
  if (!tap) return undefined;
  const outline = viewOutlines(view.services);
  return known.of(outline, [], () => {
    const isLeftOut = ({ block }: ViewOutline): boolean => readServiceBlock(block).config?.tap === false;
    return { except: outline.filter(isLeftOut).map(({ name }) => name) };
  });
}

/**
 * The state with the lines that count latencies, those of budgets of retries and those of the tap, where this HAProxy
 * takes them (`isAble`), and what is in the way of the former two; `memo` is that of the look before. That of a tap is
 * told to whoever asks for one.
 */
export function withOwnLines(
  plain: StateWithIssues,
  config: Pick<HaproxyConfig, 'latencyCounter' | 'tap'>,
  view: CatalogView,
  isAble = true,
  memo?: Pick<SectionCache, 'counting' | 'bounding' | 'tapping'>,
): StateWithIssues {
  const bare = { ...plain, desired: withoutBudgets(plain.desired) };
  const { desired: counted, issues } = withLatencyLines(bare, config, view, isAble, memo?.counting);
  const desired = isAble ? withBudgets(counted, memo?.bounding) : counted;
  return {
    desired: withTap(desired, isAble ? tapSettings(config, view) : undefined, memo?.tapping),
    issues: [...issues, ...budgetIssues(desired, isAble)],
  };
}
