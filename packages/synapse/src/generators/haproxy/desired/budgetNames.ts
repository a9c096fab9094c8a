import type { Section } from '../types.js';

/** The section whose stick table holds what was spent of budgets of retries; its entries are called as services are. */
export const budgetTable = 'synapse-retries';

/** Over so many seconds retries and requests are counted against each other. */
export const budgetWindowSeconds = 10;

/** True for that section. */
export function isBudgetTable({ title }: Pick<Section, 'title'>): boolean {
  return title === `backend ${budgetTable}`;
}
