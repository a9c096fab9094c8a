import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowMemo } from './rowMemo.js';

const list = fc.array(fc.nat(2), { maxLength: 4 });

describe('the memo of rows', () => {
  it('has what would be made, over any history', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1), list, list)), (looks) => {
        const memo = new RowMemo<string>();
        for (const [input, first, second] of looks) {
          const make = (item: number, index: number) => `${input} ${item} ${second[index]}`;
          expect(memo.of([input], [first, second], make)).toEqual(first.map(make));
        }
      }),
    );
  });

  it('makes again only rows of which a value is another one', () => {
    const memo = new RowMemo<number>();
    const made: number[] = [];
    const look = (input: number, first: readonly number[], second: readonly number[]) => {
      made.length = 0;
      memo.of([input], [first, second], (_, index) => made.push(index));
      return [...made];
    };
    expect(look(1, [1, 2, 3], [1, 2, 3])).toEqual([0, 1, 2]);
    expect(look(1, [1, 0, 3], [1, 2, 0])).toEqual([1, 2]);
    expect(look(1, [1, 0, 3], [1, 2, 0])).toEqual([]);
    expect(look(2, [1, 0, 3], [1, 2, 0])).toEqual([0, 1, 2]);
  });
});
