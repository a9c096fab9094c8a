import { createHash } from 'node:crypto';

import { parseConfigText } from '@smartstack/agent';

import { decideFor } from './decide.js';
import type { Resolution, ResolverInput, Weights } from './types.js';

/** The watcher that Ruby starts with: that of `discovery` beside a `discovery_multi`. */
const usualWatcher = 'primary';

/** Reads `watcher: weight` lines of YAML. Throws with what is wrong with them, a SyntaxError for what is no YAML; weights are whole numbers from 0. */
export function parseWeights(text: string): Weights {
  const { value, issues } = parseConfigText('weights', text);
  const [issue] = issues;
  if (issue !== undefined) throw new SyntaxError(`line ${issue.line}: ${issue.message}`);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('expected a mapping of watchers to their weights');
  return new Map(
    Object.entries(value).map(([name, weight]: [string, unknown]) => {
      if (typeof weight !== 'number' || !Number.isInteger(weight) || weight < 0)
        throw new Error(`the weight of ${JSON.stringify(name)} is not a whole number from 0`);
      return [name, weight];
    }),
  );
}

/** A number in (0, 1) that is always the same for these words, and as good as random. */
function drawn(...words: readonly string[]): number {
  const hash = createHash('sha256').update(JSON.stringify(words)).digest();
  return (hash.readUIntBE(0, 6) + 1) / (2 ** 48 + 2);
}

/**
 * Chooses by weight, the same for the same seed and names. Hosts are dealt out in proportion; when one weight
 * grows, hosts move to that watcher only. Undefined when all weights are 0.
 */
export function chooseByWeight(weights: Weights, seed: string): string | undefined {
  const drawing = [...weights]
    .filter(([, weight]) => weight > 0)
    .map(([name, weight]) => ({ name, score: -Math.log(drawn(seed, name)) / weight }));
  return drawing.sort((a, b) => a.score - b.score)[0]?.name;
}

/** What is wrong with weights that can be read; undefined when nothing is. */
export function weightsProblem(weights: Weights, watchers: readonly string[]): string | undefined {
  const unknown = [...weights.keys()].filter((name) => !watchers.includes(name));
  const hint = `there are ${watchers.join(', ')}`;
  if (unknown.length > 0)
    return `no watcher is called ${unknown.map((name) => JSON.stringify(name)).join(', ')}: ${hint}`;
  return [...weights.values()].some((weight) => weight > 0) ? undefined : 'no weight is above 0';
}

/** Decides for the watcher that the weights choose; without weights for `primary`, or else the first. */
export function decideByWeights({ sources, weights, waitsForWeights, seed }: ResolverInput): Resolution {
  if (weights === undefined && waitsForWeights === true) return { kind: 'wait' };
  const names = new Set(sources.map(({ name }) => name));
  const known = new Map([...(weights ?? [])].filter(([name]) => names.has(name)));
  const usual = names.has(usualWatcher) ? usualWatcher : sources[0]?.name;
  const chosen = chooseByWeight(known, seed) ?? usual;
  return decideFor(sources.find(({ name }) => name === chosen));
}
