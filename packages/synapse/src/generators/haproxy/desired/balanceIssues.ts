import { isSteered, wantsSteering } from '../balance/weights.js';
import type { HaproxyIssue } from './desired.js';
import { noLatencies } from './latencyIssues.js';
import { isTier } from './tierNames.js';
import type { DesiredState } from '../types.js';

/**
 * Services whose weights were to follow from latencies that nobody counts, in the state as it will be; `issues` may
 * say why.
 */
export function balanceIssues(
  { services, latencies }: DesiredState,
  issues: readonly HaproxyIssue[],
): readonly HaproxyIssue[] {
  return services.flatMap((sections): readonly HaproxyIssue[] => {
    const { service } = sections;
    if (isTier(service) || !wantsSteering(sections) || isSteered(sections)) return [];
    const why =
      latencies?.except.includes(service) === true
        ? '`latencies: false` of its block'
        : (noLatencies(issues, service) ?? '`traffic.latencies` in agent.yaml does not ask for them');
    const reason = `balance: latency is plain roundrobin, for its latencies are not counted: ${why}`;
    return [{ severity: 'warning', service, reason }];
  });
}
