import { budgetObstacles, wantsBudget, wantsBudgets, withoutBudgets } from './budgetLines.js';
import type { HaproxyIssue } from './issue.js';
import { isTier } from './tierNames.js';
import type { DesiredState } from '../types.js';

/** How each reason begins. */
const unbounded = 'the retries of its policy have no budget, so that each request has all of its attempts: ';

/** Services whose retries were to have a budget and have none, in the state as it will be; `isAble`: HAProxy knows the lines. */
export function budgetIssues(state: DesiredState, isAble: boolean): readonly HaproxyIssue[] {
  const plain = withoutBudgets(state);
  if (!wantsBudgets(plain)) return [];
  const wanted = plain.services.filter((sections) => !isTier(sections.service) && wantsBudget(sections));
  const whyNot = isAble ? budgetObstacles(plain) : () => 'HAProxy can do that from 2.6 on';
  return wanted.flatMap((sections): readonly HaproxyIssue[] => {
    const why = whyNot(sections);
    if (why === undefined) return [];
    const reason = `${unbounded}${why}; \`budget: false\` does without`;
    return [{ severity: 'warning', service: sections.service, reason }];
  });
}
