import { sameInputs } from './memo.js';

/**
 * What came of lists that stand side by side, place by place: where all of them have the very same values as the time
 * before, it is not made again. Keeps the lists of the last time, and nothing older.
 */
export class RowMemo<V> {
  #inputs: readonly unknown[] = [];
  #lists: readonly (readonly unknown[])[] = [];
  #values: readonly V[] = [];

  /**
   * What `make` returns for each place of the first list. `inputs` are what all places follow from besides; there must
   * always be as many lists.
   */
  of<T>(
    inputs: readonly unknown[],
    lists: readonly [readonly T[], ...(readonly unknown[])[]],
    make: (item: T, index: number) => V,
  ): readonly V[] {
    const isFit = sameInputs(this.#inputs, inputs);
    const before = isFit ? this.#lists : [];
    const known = isFit ? this.#values : [];
    const values: V[] = [];
    for (const [index, item] of lists[0].entries()) {
      const value = known[index];
      values.push(value !== undefined && isSameRow(lists, before, index) ? value : make(item, index));
    }
    this.#inputs = inputs;
    this.#lists = lists;
    this.#values = values;
    return values;
  }
}

function isSameRow(
  lists: readonly (readonly unknown[])[],
  before: readonly (readonly unknown[])[],
  index: number,
): boolean {
  for (let at = 0; at < lists.length; at += 1) if (lists[at]?.[index] !== before[at]?.[index]) return false;
  return true;
}
