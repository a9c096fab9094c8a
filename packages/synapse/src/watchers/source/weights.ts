/** HAProxy knows no larger weight. */
const maxWeight = 256;

/** Weights of any size as weights of HAProxy's, in the same proportion where they are too large; the least is 1. */
export function fittingWeights(weights: readonly number[]): readonly number[] {
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  const scale = largest > maxWeight ? maxWeight / largest : 1;
  return weights.map((weight) => Math.max(1, Math.round(weight * scale)));
}
