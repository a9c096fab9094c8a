import { describeError } from '@smartstack/agent';
import type { ChildResult, Instance, Stat, Zxid } from '@smartstack/registry';

import type { SourceEntry } from '../../catalog/types.js';

/** When a child was created and changed, where its source tells. */
type Times = Pick<Stat, 'ctime' | 'mtime'>;

/** A child as it was read; `mzxid` tells one version of its data from another. */
export type ReadChild =
  | Exclude<ChildResult, { kind: 'data' }>
  | { readonly kind: 'data'; readonly data: Buffer; readonly stat: Pick<Stat, 'mzxid'> & Partial<Times> };

/** Makes an instance of a child; `data` is undefined when its name should tell everything. Throws when it is none. */
export type DecodeChild = (name: string, data: Buffer | undefined) => Instance;

/** A child that could not be understood or read; `kept` when its last good instance stays in use. */
export interface BadChild {
  readonly name: string;
  readonly reason: string;
  readonly kept: boolean;
}

interface Good {
  readonly instance: Instance;
  /** Version of the data that it was decoded from; undefined for a path-encoded name. */
  readonly mzxid: Zxid | undefined;
  readonly stat?: Partial<Times>;
}

/**
 * Decodes the children of a path, each new version once. A bad child never affects the others; one
 * that was good before keeps its last good instance, since its node says that it lives.
 */
export class ChildReader {
  readonly #decodeChild: DecodeChild;
  #good: ReadonlyMap<string, Good> = new Map();
  #reported: ReadonlyMap<string, string> = new Map();

  constructor(decode: DecodeChild) {
    this.#decodeChild = decode;
  }

  /** True when the child's name holds the whole instance, so that its data need not be read. */
  namesAll(name: string): boolean {
    const good = this.#good.get(name);
    if (good !== undefined) return good.mzxid === undefined;
    try {
      this.#decodeChild(name, undefined);
      return true;
    } catch {
      return false;
    }
  }

  /** Why each bad child is, by name, as of the last reading. */
  get bad(): ReadonlyMap<string, string> {
    return this.#reported;
  }

  /** Each child below `path`, as of the last reading. */
  entries(path: string): readonly SourceEntry[] {
    const names = new Set([...this.#good.keys(), ...this.#reported.keys()]);
    return [...names].map((name) => {
      const good = this.#good.get(name);
      const problem = this.#reported.get(name);
      return {
        place: `${path}/${name}`,
        ...(good?.stat?.ctime !== undefined && { createdAt: good.stat.ctime }),
        ...(good?.stat?.mtime !== undefined && { changedAt: good.stat.mtime }),
        ...(good && { instance: good.instance }),
        ...(problem !== undefined && { problem }),
      };
    });
  }

  /** Instances in the order of the children, and the children that are bad in a way not told before. */
  read(children: ReadonlyMap<string, ReadChild>): {
    readonly instances: readonly Instance[];
    readonly newlyBad: readonly BadChild[];
  } {
    const good = new Map<string, Good>();
    const instances: Instance[] = [];
    const bad = new Map<string, string>();
    const newlyBad: BadChild[] = [];
    for (const [name, child] of children) {
      const before = this.#good.get(name);
      let now = before;
      try {
        now = this.#decode(name, child, before);
      } catch (error) {
        const reason = describeError(error);
        bad.set(name, reason);
        if (this.#reported.get(name) !== reason) newlyBad.push({ name, reason, kept: before !== undefined });
      }
      if (now === undefined) continue;
      good.set(name, now);
      instances.push(now.instance);
    }
    this.#good = good;
    this.#reported = bad;
    return { instances, newlyBad };
  }

  #decode(name: string, child: ReadChild, before: Good | undefined): Good {
    switch (child.kind) {
      case 'error':
        throw child.error;
      case 'skipped':
        return before ?? { instance: this.#decodeChild(name, undefined), mzxid: undefined };
      case 'data':
        if (before !== undefined && (before.stat === child.stat || before.mzxid === child.stat.mzxid))
          return before;
        return {
          instance: this.#decodeChild(name, child.data),
          mzxid: child.stat.mzxid,
          stat: child.stat,
        };
    }
  }
}
