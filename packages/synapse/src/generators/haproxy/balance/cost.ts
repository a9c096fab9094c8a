import type { Evidence } from './evidence.js';

/** What a request to a server costs, as far as the evidence goes. */
export interface Cost {
  /** Mean latency in seconds, and what it may be at least and at most. */
  readonly low: number;
  readonly mid: number;
  readonly high: number;
  /** Share of requests that failed, and what it is at least, most likely. */
  readonly failing: number;
  readonly surelyFailing: number;
}

/** A server is as good as the best until it is slower by more than this; twice as slow it certainly is not. */
const [doubt, certain] = [1.2, 2];
/** A failed request costs as much as so many good ones: who fails fast must not win. */
const failureCost = 20;
/** In seconds: what is faster than this hardly differs. */
const negligible = 0.0005;
/** How many times the standard error a mean may be off. */
const sure = 2;
/** Fewer requests than this say nothing at all. */
const fewest = 5;
/** Latencies that spread so much, relative to their mean, fill several buckets: in none of them they are at one edge. */
const [spreadOut, leastEdge] = [0.6, 0.25];

function requestsOf({ count, lost }: Evidence): number {
  return count + lost;
}

/** The cost by this evidence; undefined where it says too little. */
export function costOf(evidence: Evidence): Cost | undefined {
  const { count, low, mid, high, squares, failures } = evidence;
  const requests = requestsOf(evidence);
  if (requests < fewest) return undefined;
  const failing = Math.min(1, failures / requests);
  const mean = count === 0 ? 0 : mid / count;
  const deviation = count === 0 ? 0 : Math.sqrt(Math.max(0, squares / count - mean * mean));
  const error = count === 0 ? 0 : (sure * deviation) / Math.sqrt(count);
  const edge = mean === 0 ? 1 : Math.max(leastEdge, 1 - deviation / mean / spreadOut);
  const upTo = (bound: number): number => (count === 0 ? 0 : mean + edge * (bound / count - mean));
  return {
    low: Math.max(0, upTo(low) - error) + negligible,
    mid: mean + negligible,
    high: upTo(high) + error + negligible,
    failing,
    surelyFailing: Math.max(0, failing - Math.sqrt((failing * (1 - failing)) / requests)),
  };
}

function lowerQuartile<T>(values: readonly T[], by: (value: T) => number): T | undefined {
  return values.toSorted((a, b) => by(a) - by(b))[Math.floor((values.length - 1) / 4)];
}

/** What the good ones among these servers cost: those that fail most of the time say nothing about latency. */
export function goodCost(costs: readonly Cost[]): Cost | undefined {
  const sound = costs.filter(({ failing }) => failing < 0.5);
  const latency = lowerQuartile(sound.length > 0 ? sound : costs, ({ mid }) => mid);
  const failing = lowerQuartile(costs, (cost) => cost.failing)?.failing ?? 0;
  return latency && { ...latency, failing };
}

/** The factor that a cost asks for against that of the good ones: the square of the ratio, as far as it is certain. */
export function idealFactor(cost: Cost, good: Cost): number {
  const surely = cost.low / good.high;
  const certainty = Math.min(1, Math.max(0, Math.log(surely / doubt) / Math.log(certain / doubt)));
  const latency = Math.min(1, (good.mid / cost.mid) ** (2 * certainty));
  const failures = (1 + failureCost * good.failing) / (1 + failureCost * cost.surelyFailing);
  return latency * Math.min(1, failures) ** 2;
}

function inMs(seconds: number): string {
  const value = (seconds - negligible) * 1000;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
}

/** For people: what is bad about a server, against the good ones. */
export function complaint({ stalledSeconds }: Evidence, cost: Cost, good: Cost): string {
  const parts = [
    ...(stalledSeconds > 0 ? [`no answer for ${stalledSeconds.toFixed(0)} s`] : []),
    ...(cost.failing >= 0.01 ? [`${(cost.failing * 100).toFixed(0)} % of its requests fail`] : []),
    `about ${inMs(cost.mid)} against ${inMs(good.mid)}`,
  ];
  return parts.join(', ');
}
