/** What one execution of a check found. `reason` is for people: short, on one line. */
export type CheckResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** How many results in a row change a check's health. Both at least 1. */
export interface Threshold {
  readonly rise: number;
  readonly fall: number;
}

/** A check's health, and how many results in a row have contradicted it so far. */
export interface HealthState {
  readonly status: 'unknown' | 'up' | 'down';
  readonly streak: number;
}

/** The health of a check that has never run. */
export const unknownHealth: HealthState = { status: 'unknown', streak: 0 };

/**
 * Folds one result into a check's health. The first result decides at once, whatever `rise` and
 * `fall` say: airbnb's nerve fills its ring buffer with it, and fleets depend on the fast start.
 */
export function nextHealth(state: HealthState, result: CheckResult, threshold: Threshold): HealthState {
  const seen = result.ok ? 'up' : 'down';
  if (state.status === 'unknown' || state.status === seen) {
    return state.status === seen && state.streak === 0 ? state : { status: seen, streak: 0 };
  }
  const streak = state.streak + 1;
  const needed = result.ok ? threshold.rise : threshold.fall;
  return streak >= needed ? { status: seen, streak: 0 } : { status: state.status, streak };
}
