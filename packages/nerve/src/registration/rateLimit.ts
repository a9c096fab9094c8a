/** Limits of how often one service's registration may change. Rates are per second. */
export interface RateLimit {
  /** Tokens that a second adds; infinite means no limit. */
  readonly averageRate: number;
  /** The most tokens that a quiet time can save up. */
  readonly maxBurst: number;
}

/** A token bucket's content at a moment of the monotonic clock, in milliseconds. */
export interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

/** A new bucket holds one second's tokens, as airbnb's nerve starts it. */
export function newBucket(limit: RateLimit, nowMs: number): Bucket {
  return { tokens: limit.averageRate, atMs: nowMs };
}

/** Takes one token if there is one. A refusal changes nothing: the tokens go on growing. */
export function takeToken(
  limit: RateLimit,
  bucket: Bucket,
  nowMs: number,
): { readonly taken: boolean; readonly bucket: Bucket } {
  if (!Number.isFinite(limit.averageRate)) return { taken: true, bucket };
  const grown = bucket.tokens + (limit.averageRate * (nowMs - bucket.atMs)) / 1000;
  const tokens = Math.min(grown, limit.maxBurst);
  if (tokens < 1) return { taken: false, bucket };
  return { taken: true, bucket: { tokens: tokens - 1, atMs: nowMs } };
}
