/** How a service that keeps falling is held back. Off unless configured. */
export interface Damping {
  /** In so many milliseconds the penalty halves. */
  readonly halfLifeMs: number;
  /** From this penalty on the service is held back. Each fall adds 1. */
  readonly suppress: number;
  /** It comes back when the penalty has gone down to this. Above 0, below `suppress`. */
  readonly reuse: number;
  /** The longest that one fall can hold it back, in milliseconds. */
  readonly maxHoldMs: number;
}

/** How much a service has fallen lately. Times are monotonic milliseconds. */
export interface FlapState {
  /** As it was at `atMs`; it decays from then on. */
  readonly penalty: number;
  readonly atMs: number;
  /** Until then it is not to be registered, however healthy it is. */
  readonly heldUntilMs: number;
}

/** A service that never fell. */
export const noFlaps: FlapState = { penalty: 0, atMs: 0, heldUntilMs: 0 };

/** The penalty that is left at a moment. */
export function penaltyAt(damping: Damping, state: FlapState, nowMs: number): number {
  return state.penalty * 2 ** (-Math.max(0, nowMs - state.atMs) / damping.halfLifeMs);
}

/**
 * Takes note of a fall, as BGP's route-flap damping does: the first ones cost nothing, each further one in a
 * row a longer time, up to the maximum; quiet time heals all of it.
 */
export function noteFall(damping: Damping, state: FlapState, nowMs: number): FlapState {
  const { halfLifeMs, suppress, reuse, maxHoldMs } = damping;
  // Beyond this a further fall could not hold longer, and would only be remembered for longer.
  const cap = Math.max(suppress, reuse * 2 ** (maxHoldMs / halfLifeMs));
  const penalty = Math.min(penaltyAt(damping, state, nowMs) + 1, cap);
  const held = nowMs < state.heldUntilMs;
  if (penalty < suppress && !held) return { penalty, atMs: nowMs, heldUntilMs: 0 };
  const decayMs = Math.max(0, halfLifeMs * Math.log2(penalty / reuse));
  const until = nowMs + Math.min(decayMs, maxHoldMs);
  return { penalty, atMs: nowMs, heldUntilMs: held ? Math.max(state.heldUntilMs, until) : until };
}

/** For how much longer it is held back, in milliseconds; 0: it is not. */
export function holdMs(state: FlapState, nowMs: number): number {
  return Math.max(0, state.heldUntilMs - nowMs);
}
