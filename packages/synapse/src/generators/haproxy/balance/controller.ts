import { complaint, type Cost, costOf, goodCost, idealFactor } from './cost.js';
import { advance, type Evidence, type Look, noEvidence, quiet } from './evidence.js';

/** How weights follow from latencies. */
export interface ControllerSettings {
  /** The least share of its own weight that a server keeps: whoever recovers must be found again. */
  readonly floor: number;
  /** Fewer responses than this say too little: the weight stays nearer to the server's own. */
  readonly minSamples: number;
  /** A change of the weight by less than this ratio is not worth a command. */
  readonly worthwhile: number;
}

/** The defaults. */
export const defaultController: ControllerSettings = { floor: 0.01, minSamples: 20, worthwhile: 1.25 };

/** What is known of one server of a backend, and what follows. */
export interface SteeredServer {
  readonly evidence: Evidence;
  /** Where its factor is on its way to. */
  readonly aim: number;
  /** At this aim it last turned bad on its way back: perhaps its load was the reason. 1 where it never did. */
  readonly ceiling: number;
  /** Looks in a row at which the aim fell, or rose when negative. */
  readonly trend: number;
  /** From here it began to rise. */
  readonly trough: number;
  /** How much of the evidence is newer than its last fall, from 0 to 1. */
  readonly renewed: number;
  /** What its own weight is multiplied with: from `floor` to 1. */
  readonly factor: number;
  /** For people: why it is not 1. Empty where it is. */
  readonly reason: string;
}

/** The servers of one backend by name. */
export type SteeredBackend = ReadonlyMap<string, SteeredServer>;

/** One that was not seen before begins with its whole weight. */
export const unsteered: SteeredServer = {
  ...{ evidence: noEvidence, aim: 1, ceiling: 1, trend: 0, trough: 1, renewed: 0, factor: 1, reason: '' },
};

/** How much of its way an aim goes at one look, in terms of its logarithm: away from its own weight, and back to it. */
const [onset, recovery] = [0.5, 0.2];
/** With few data it goes no further than this ratio at one look. */
const carefulStep = 0.8;
/** Near the ceiling it rises by no more than this ratio at one look; and so fast the ceiling is forgotten. */
const [nearCeiling, climb, forget] = [0.7, 1.04, 1.02];
/** After so many looks at which all was well it may rise faster. */
const patience = 8;
/** So much of the evidence must be newer than a fall before the next one. */
const freshEnough = 0.6;
/** Having risen by more than this ratio, it was on its way back; less is chance. */
const realRise = 2;
/** What turns bad on its way back falls by this ratio at first: a little less load may be enough. */
const firstFall = 0.75;

/**
 * One step of the balancing by latency, at the end of `seconds` in which `looks` were seen; the servers are those of
 * `names`, and `random` is uniform in [0, 1): many agents must not act as one. A pure function.
 *
 * A server that is surely slower than the good ones (the lower quartile), or fails more, gets the square of the ratio
 * as its factor. The aim moves a part of the way at each look, in logarithms, and back more slowly than away; the
 * factor follows where that is worth a command. A server whose latency depends on its load comes to rest below where
 * it turned bad.
 */
export function step(
  before: SteeredBackend,
  names: readonly string[],
  looks: ReadonlyMap<string, Look>,
  seconds: number,
  random: () => number,
  settings: ControllerSettings = defaultController,
): SteeredBackend {
  const seen = names.map((name) => {
    const old = before.get(name) ?? unsteered;
    const evidence = advance(old.evidence, looks.get(name) ?? quiet, seconds);
    return { name, old, evidence, cost: costOf(evidence) };
  });
  const costs = seen.flatMap(({ cost }) => cost ?? []);
  // Alone, or where nobody else answered, there is nothing to prefer.
  const good = costs.length > 1 ? goodCost(costs) : undefined;
  return new Map(
    seen.map(({ name, old, evidence, cost }) => [
      name,
      steer(old, { evidence, cost, good, random, settings }),
    ]),
  );
}

interface Sight {
  readonly evidence: Evidence;
  readonly cost: Cost | undefined;
  readonly good: Cost | undefined;
  readonly random: () => number;
  readonly settings: ControllerSettings;
}

function steer(old: SteeredServer, { evidence, cost, good, random, settings }: Sight): SteeredServer {
  const { floor, minSamples } = settings;
  const comparable = cost !== undefined && good !== undefined;
  const ideal = comparable ? Math.max(floor, idealFactor(cost, good)) : 1;
  const samples = evidence.count + evidence.lost;
  const goal = ideal ** Math.min(1, samples / minSamples);
  const renewed = old.renewed + (1 - old.renewed) * evidence.fresh;
  const way = approach({ ...old, renewed }, goal, samples < minSamples, random);
  const factor = takeUp(old.factor, way.aim, goal, settings);
  const why = ideal < 1 && comparable ? complaint(evidence, cost, good) : old.reason;
  return { evidence, ...way, factor, reason: factor === 1 ? '' : why };
}

type Way = Pick<SteeredServer, 'aim' | 'ceiling' | 'trend' | 'trough' | 'renewed'>;

function approach(old: SteeredServer, goal: number, isUnsure: boolean, random: () => number): Way {
  const { aim, trough } = old;
  const ceiling = Math.min(1, old.ceiling * forget);
  const { renewed } = old;
  if (goal === aim) return { aim, ceiling, trend: 0, trough, renewed };
  const isFalling = goal < aim;
  const gain = (isFalling ? onset : recovery) * (0.7 + 0.6 * random());
  const wish = aim ** (1 - gain) * goal ** gain;
  // Close enough: nothing is to be said with another command.
  const next = Math.abs(Math.log(wish / goal)) < 0.02 ? goal : wish;
  const careful = isUnsure ? carefulStep : 0;
  return isFalling
    ? fall({ ...old, ceiling }, next, careful)
    : rise({ ...old, ceiling }, Math.min(next, aim / careful));
}

function fall({ aim, ceiling, trend, trough, renewed }: SteeredServer, next: number, careful: number): Way {
  const turned = trend < 0 && (ceiling < 1 || aim > trough * realRise);
  // Each look at which it goes on falling lets it fall faster.
  const fallen = Math.max(1, trend + 1);
  const gentle = turned || ceiling < 1 ? firstFall ** fallen : 0;
  // What it did with less load must be seen before it gets still less.
  if (gentle > 0 && !turned && renewed < freshEnough) return { aim, ceiling, trend, trough, renewed };
  const least = aim * Math.max(careful, gentle);
  return { aim: Math.max(least, next), ceiling: turned ? aim : ceiling, trend: fallen, trough, renewed: 0 };
}

function rise({ aim, ceiling, trend, trough, renewed }: SteeredServer, next: number): Way {
  const risen = Math.min(-1, trend - 1);
  // The longer all is well, the faster it goes on.
  const isNear = ceiling < 1 && aim > nearCeiling * ceiling;
  const most = isNear ? aim * climb ** Math.max(1, (-risen - patience) / 3) : 1;
  return { aim: Math.min(most, next), ceiling, trend: risen, trough: trend < 0 ? trough : aim, renewed };
}

function takeUp(factor: number, aim: number, goal: number, { worthwhile }: ControllerSettings): number {
  if (aim === factor) return factor;
  // The way back to the server's own weight is finished, however short its last part.
  if (goal === 1 && aim > 0.95) return 1;
  const ratio = aim > factor ? aim / factor : factor / aim;
  return ratio >= worthwhile ? aim : factor;
}
