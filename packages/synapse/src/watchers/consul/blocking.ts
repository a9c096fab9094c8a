/** What a blocking query goes on from. */
export interface Position {
  /** 0: at once, whatever there is. */
  readonly index: bigint;
  /** Milliseconds until it may be asked again. */
  readonly pauseMs: number;
}

/** One change after the other is not asked for faster, in milliseconds. */
const changedMs = 100;
/** The index did not move, although the answer came early: in milliseconds. */
const unchangedMs = 1_000;
/** It tells no index, so that it cannot be waited for: in milliseconds. */
const pollMs = 5_000;

/**
 * Where to go on after an answer with this `X-Consul-Index`, which took so many milliseconds. As Consul's documentation
 * asks: an index that went backwards, or is none, begins anew.
 */
export function nextPosition(before: bigint, header: unknown, tookMs: number): Position {
  if (typeof header !== 'string' || !/^\d{1,20}$/.test(header)) return { index: 0n, pauseMs: pollMs };
  const told = BigInt(header);
  // Zero would mean not to wait.
  const index = told < before ? 0n : told === 0n ? 1n : told;
  const wantedMs = index === before ? unchangedMs : changedMs;
  return { index, pauseMs: Math.max(0, wantedMs - tookMs) };
}
