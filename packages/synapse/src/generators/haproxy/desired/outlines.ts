/** So many outlines are compared with; more are in use nowhere at a time. */
const maxRecent = 8;

interface Recent<T, O> {
  readonly items: WeakRef<readonly T[]>;
  readonly outline: WeakRef<readonly O[]>;
}

/**
 * Outlines of lists: what is left of each item without that which changes often. Lists with equal outlines have the very
 * same one, by which later steps know at a glance that all which follows from it is as it was. Lists must never change
 * once they were given here. Keeps neither items nor outlines alive.
 */
export class Outlines<T extends object, O extends object> {
  readonly #make: (item: T) => O;
  readonly #fits: (item: T, outline: O) => boolean;
  readonly #known = new WeakMap<readonly T[], readonly O[]>();
  #recent: readonly Recent<T, O>[] = [];

  /** `make` must not hold on to the item; `fits` says whether it would make an equal outline. */
  constructor(make: (item: T) => O, fits: (item: T, outline: O) => boolean) {
    this.#make = make;
    this.#fits = fits;
  }

  /** The outline of a list. */
  of(items: readonly T[]): readonly O[] {
    const known = this.#known.get(items);
    if (known !== undefined) return known;
    const outline = this.#find(items) ?? items.map(this.#make);
    this.#known.set(items, outline);
    const others = this.#recent.filter((each) => (each.outline.deref() ?? outline) !== outline);
    this.#recent = [{ items: new WeakRef(items), outline: new WeakRef(outline) }, ...others].slice(
      0,
      maxRecent,
    );
    return outline;
  }

  #find(items: readonly T[]): readonly O[] | undefined {
    for (const recent of this.#recent) {
      const outline = recent.outline.deref();
      if (outline?.length !== items.length) continue;
      if (this.#isOutline(items, outline, recent.items.deref())) return outline;
    }
    return undefined;
  }

  /** `before` is a list with this outline, of which most items are here, too. */
  #isOutline(items: readonly T[], outline: readonly O[], before: readonly T[] | undefined): boolean {
    for (const [index, item] of items.entries()) {
      if (item === before?.[index]) continue;
      const each = outline[index];
      if (each === undefined || !this.#fits(item, each)) return false;
    }
    return true;
  }
}
