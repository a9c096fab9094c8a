import { latencyBounds, latencyBuckets } from '../../../traffic/latency.js';

/** What became of one server's requests since the look before. */
export interface Look {
  /** Responses by latency, as in `latencyBounds`. */
  readonly latencies: readonly number[];
  /** Those of them that were 5xx. */
  readonly failures: number;
  /** Requests that got no response of the server: it broke off, refused the connection or took too long. */
  readonly lost: number;
  /** Requests under way at the end; undefined where nobody looked. */
  readonly open: number | undefined;
}

/** Nothing happened. */
export const quiet: Look = { latencies: [], failures: 0, lost: 0, open: undefined };

/** What a server's responses come to lately: recent ones count in full, older ones less and less. */
export interface Evidence {
  /** How many latencies this is from; less than there were, for older ones count less. */
  readonly count: number;
  /** Sums of them in seconds: if each was as short, as usual and as long as its bucket allows. */
  readonly low: number;
  readonly mid: number;
  readonly high: number;
  /** The sum of their squares. */
  readonly squares: number;
  /** Requests without any response. */
  readonly lost: number;
  /** These, and responses 5xx. */
  readonly failures: number;
  /** Which share of all that is new at the last look. */
  readonly fresh: number;
  /** For how long requests were under way and none was answered, in seconds. */
  readonly stalledSeconds: number;
}

/** Of a server that has answered nothing yet. */
export const noEvidence: Evidence = {
  ...{ count: 0, low: 0, mid: 0, high: 0, squares: 0, lost: 0, failures: 0, fresh: 0, stalledSeconds: 0 },
};

/** After so many seconds without another one, a response counts for a third. */
const memorySeconds = 10;
/** So many responses say enough: what they say outweighs all that was before. */
const enough = 100;
/** What takes longer than the last bound takes so long at most, in seconds: not known, and without much meaning. */
const longest = 20;
/** So many requests do not come all at once, as a rule. */
const several = 3;
/** How much of what was believed remains when a server answers again that had stopped. */
const afterStall = 0.1;

/** The evidence after another `seconds`, with what was seen at their end. */
export function advance(evidence: Evidence, look: Look, seconds: number): Evidence {
  const fresh = freshOf(look);
  const { stalledSeconds: before } = evidence;
  const isStalled = fresh.count === 0 && (look.open ?? before) > 0;
  const stalledSeconds = isStalled ? before + seconds : 0;
  // Requests that were under way before, and still are, take at least as long as nothing was answered. One or two may
  // have come just now; several, and not one answer, are enough at once.
  const open = look.open ?? 0;
  const waiting = isStalled && (before > 0 || open >= several) ? open : 0;
  const waited = Math.min(longest, stalledSeconds);
  const added = fresh.count + look.lost + waiting;
  const known = evidence.count + evidence.lost;
  const faded = known * Math.exp(-seconds / memorySeconds) * (before > 0 && !isStalled ? afterStall : 1);
  const keep = known === 0 ? 0 : Math.min(faded, Math.max(added, enough - added)) / known;
  return {
    count: evidence.count * keep + fresh.count + waiting,
    low: evidence.low * keep + fresh.low + waiting * waited,
    mid: evidence.mid * keep + fresh.mid + waiting * waited,
    high: evidence.high * keep + fresh.high + waiting * waited,
    squares: evidence.squares * keep + fresh.squares + waiting * waited * waited,
    lost: evidence.lost * keep + look.lost,
    failures: evidence.failures * keep + look.failures + look.lost,
    fresh: added === 0 ? 0 : added / (known * keep + added),
    stalledSeconds,
  };
}

function freshOf({ latencies }: Look): Pick<Evidence, 'count' | 'low' | 'mid' | 'high' | 'squares'> {
  const sums = { count: 0, low: 0, mid: 0, high: 0, squares: 0 };
  for (let bucket = 0; bucket < latencyBuckets; bucket += 1) {
    const count = latencies[bucket] ?? 0;
    if (count === 0) continue;
    const [from, to] = [latencyBounds[bucket - 1] ?? 0, latencyBounds[bucket] ?? longest];
    const mid = (from + to) / 2;
    sums.count += count;
    sums.low += count * from;
    sums.mid += count * mid;
    sums.high += count * to;
    sums.squares += count * mid * mid;
  }
  return sums;
}
