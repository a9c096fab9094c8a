/** What one second of a tap came to. */
export interface TapSecond {
  /** How many of a thousand requests HAProxy told of. */
  readonly permille: number;
  /** Lines that came of it. */
  readonly lines: number;
  /** Those that fitted the filters. */
  readonly matched: number;
}

/** Lines a second that the agent reads for a tap; beyond that HAProxy is to say less. 3 % of a core. */
const maxLines = 5_000;
/** So much more than is shown is asked for, so that a request more or less does not end in a gap. */
const reserve = 1.25;
/** How much more is asked for at once when less came than could be shown. */
const growth = 2;

/**
 * How many of a thousand requests a tap should want for the next second, `most` at most: so many that about `maxRps`
 * of them can be shown. What is not shown had better not be written: HAProxy then does next to nothing for it.
 */
export function nextPermille({ permille, lines, matched }: TapSecond, maxRps: number, most: number): number {
  const load = Math.max(matched / (maxRps * reserve), lines / maxLines);
  // Half as much is no reason to ask for more: it would be too much in the next second.
  const next = load > 1 ? Math.floor(permille / load) : load < 0.5 ? Math.ceil(permille * growth) : permille;
  return Math.min(most, Math.max(1, next));
}

/** Lets through so many a second, and as many at once after a pause. */
export class RateLimit {
  readonly #perSecond: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#at = nowMs;
  }

  /** Whether one more may pass at a monotonic time. */
  take(nowMs: number): boolean {
    this.#tokens = Math.min(this.#perSecond, this.#tokens + ((nowMs - this.#at) / 1000) * this.#perSecond);
    this.#at = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
