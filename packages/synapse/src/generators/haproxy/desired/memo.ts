/**
 * What came last of a value and of those beside it, as long as all are the very same. Holds on to no key: what is kept,
 * the inputs included, goes with it. So neither may hold, or be, the key of another time: each would keep the one before.
 */
export class Memo<K extends object, V> {
  readonly #known = new WeakMap<K, { readonly inputs: readonly unknown[]; readonly value: V }>();

  /** What is known of `key` and `inputs`, else what `make` returns. */
  of(key: K, inputs: readonly unknown[], make: () => V): V {
    const known = this.#known.get(key);
    if (known !== undefined && sameInputs(known.inputs, inputs)) return known.value;
    const value = make();
    this.#known.set(key, { inputs, value });
    return value;
  }
}

/** Whether all are the very same values. */
export function sameInputs(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((input, index) => input === b[index]);
}
