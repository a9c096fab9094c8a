import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Outlines } from './outlines.js';

interface Item {
  readonly kept: number;
  readonly dropped: number;
}

const made = () =>
  new Outlines<Item, { readonly kept: number }>(
    ({ kept }) => ({ kept }),
    (item, outline) => item.kept === outline.kept,
  );

const pool: readonly Item[] = [0, 1].flatMap((kept) => [0, 1].map((dropped) => ({ kept, dropped })));
const lists = fc.array(fc.array(fc.constantFrom(...pool), { maxLength: 4 }), { maxLength: 12 });

describe('outlines', () => {
  it('say what is in a list, whatever was seen before', () => {
    fc.assert(
      fc.property(lists, (all) => {
        const outlines = made();
        for (const list of all) expect(outlines.of(list)).toEqual(list.map(({ kept }) => ({ kept })));
      }),
    );
  });

  it('are the very same for lists that differ in the rest alone', () => {
    const outlines = made();
    const [a, b, c] = [
      [pool[0]!, pool[2]!],
      [pool[1]!, pool[2]!],
      [pool[2]!, pool[2]!],
    ];
    expect(outlines.of(b)).toBe(outlines.of(a));
    expect(outlines.of(c)).not.toBe(outlines.of(a));
    expect(outlines.of([...a])).toBe(outlines.of(a));
  });
});
