import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rubyShuffle } from './shuffle.js';

interface Sample {
  readonly seed: string;
  readonly n: number;
  /** The first 20 elements of `(0...n).to_a.shuffle(random: Random.new(seed))` in Ruby 3.1. */
  readonly head: readonly number[];
  /** Sum of element times position (from 1), which pins the rest. */
  readonly sum: number;
}

const samples = JSON.parse(
  readFileSync(new URL('../testdata/ruby-shuffles.json', import.meta.url), 'utf8'),
) as readonly Sample[];
const range = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);

describe('rubyShuffle', () => {
  it.each(samples)('orders $n items with seed $seed as Ruby 3.1 does', ({ seed, n, head, sum }) => {
    const shuffled = rubyShuffle(range(n), BigInt(seed));
    expect(shuffled.slice(0, 20)).toEqual(head);
    expect(shuffled.reduce((total, item, i) => total + item * (i + 1), 0)).toBe(sum);
  });

  it('keeps every item, whatever the seed', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }), fc.nat(300), (seed, n) => {
        expect([...rubyShuffle(range(n), seed)].sort((a, b) => a - b)).toEqual(range(n));
      }),
      { numRuns: 50 },
    );
  });
});
