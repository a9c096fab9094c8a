/** How a weight grows after a registration. */
export interface SlowStart {
  readonly durationMs: number;
  readonly shape: 'linear' | 'fibonacci';
}

/** The weight at a moment of a ramp, and when to look again, in milliseconds since its start. */
export interface RampStep {
  readonly weight: number;
  /** Undefined: it is over. */
  readonly nextMs: number | undefined;
}

/** What a weight is multiplied with, step by step. Few steps: each one is read by every caller. */
const shapes = {
  linear: Array.from({ length: 20 }, (_, i) => (i + 1) / 20),
  // go-nerve's.
  fibonacci: [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233].map((value) => value / 233),
} as const;

/**
 * The part of `weight` that an instance has `elapsedMs` after it was registered: never less than 1, unless
 * `weight` is 0, never less than before, and all of it from the last step on, at the end of the duration.
 */
export function rampStep(slowStart: SlowStart, weight: number, elapsedMs: number): RampStep {
  const shares = shapes[slowStart.shape];
  const last = shares.length - 1;
  const stepMs = slowStart.durationMs / last;
  const at = (index: number): number =>
    index >= last ? weight : Math.min(weight, Math.max(1, Math.floor(weight * (shares[index] ?? 1))));
  const index = Math.min(last, Math.floor(Math.max(0, elapsedMs) / stepMs + 1e-9));
  // Small weights stay the same for several steps.
  let next = index + 1;
  while (next <= last && at(next) === at(index)) next += 1;
  return { weight: at(index), nextMs: next > last ? undefined : next * stepMs };
}
