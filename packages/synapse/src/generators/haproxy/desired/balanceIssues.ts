import { isSteered, wantsSteering } from '../balance/weights.js';
import type { HaproxyIssue } from './issue.js';
import { noLatencies } from './latencyIssues.js';
import { Memo } from './memo.js';
import { type Outline, outlineOf } from './outline.js';
import { isTier } from './tierNames.js';
import type { DesiredState } from '../types.js';

/** Services whose weights do not follow from latencies, although they were to. */
const lacking = new Memo<Outline, Outline>();

/**
 * Services whose weights were to follow from latencies that nobody counts, in the state as it will be; `issues` may
 * say why.
 */
export function balanceIssues(
  { services, latencies }: DesiredState,
  issues: readonly HaproxyIssue[],
): readonly HaproxyIssue[] {
  const outline = outlineOf(services);
  const unsteered = lacking.of(outline, [], () =>
    outline.filter((each) => !isTier(each.service) && wantsSteering(each) && !isSteered(each)),
  );
  return unsteered.map(({ service }): HaproxyIssue => {
    const why =
      latencies?.except.includes(service) === true
        ? '`latencies: false` of its block'
        : (noLatencies(issues, service) ?? '`traffic.latencies` in agent.yaml does not ask for them');
    const reason = `balance: latency is plain roundrobin, for its latencies are not counted: ${why}`;
    return { severity: 'warning', service, reason };
  });
}
