import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import type { TextIssue } from './compose.js';
import { isSymbol, readScalar, type ScalarValue } from './scalar.js';

/** Aliases may make a document this many values large, and no larger: a few lines can name billions. */
const maxValues = 1_000_000;

/** A value with the offset of it and of everything in it. */
export interface Located {
  readonly value: unknown;
  readonly offset: number;
  /** Values in it, itself included, with aliases written out. */
  readonly size: number;
  readonly children: ReadonlyMap<string, LocatedChild>;
}

interface LocatedChild {
  readonly keyOffset: number;
  readonly node: Located;
}

const none: ReadonlyMap<string, LocatedChild> = new Map();

/** Turns composed nodes into plain values, with Ruby's reading of scalars, merges and duplicate keys. */
export class Converter {
  readonly issues: TextIssue[] = [];
  readonly #anchors = new Map<string, Located | 'open'>();
  #size = 0;

  convert(node: unknown): Located {
    const at = node as Node;
    const tag = at.tag;
    if (tag !== undefined && !knownTags.has(tag)) {
      this.#report(at, 'error', `Unsupported tag ${tag.replace(coreTag, '!!')}`);
      return leaf(null, offsetOf(at));
    }
    if (isAlias(node)) return this.#alias(node);
    const anchor = (at as { anchor?: string }).anchor;
    if (anchor) this.#anchors.set(anchor, 'open');
    let located: Located;
    if (isMap(node)) located = this.#map(node);
    else if (isSeq(node)) located = this.#seq(node);
    else if (isScalar(node)) located = this.#scalar(node);
    else located = leaf(null, offsetOf(at));
    if (anchor) this.#anchors.set(anchor, located);
    return located;
  }

  #report(node: unknown, severity: TextIssue['severity'], message: string): void {
    this.issues.push({ offset: offsetOf(node as Node), severity, message });
  }

  #alias(alias: Alias): Located {
    const offset = offsetOf(alias);
    const target = this.#anchors.get(alias.source);
    if (target === undefined || target === 'open') {
      const why = target === 'open' ? 'refers to what contains it' : 'has no anchor before it';
      this.#report(alias, 'error', `Alias *${alias.source} ${why}`);
      return leaf(null, offset);
    }
    this.#size += target.size;
    if (this.#size > maxValues) {
      if (this.#size - target.size <= maxValues)
        this.#report(alias, 'error', `Aliases make more than ${maxValues} values`);
      return leaf(null, offset);
    }
    return { ...target, offset };
  }

  #scalar(scalar: Scalar): Located {
    const offset = offsetOf(scalar);
    // The library makes a Date of `!!timestamp` whatever its schema.
    const text = typeof scalar.value === 'string' ? scalar.value : (scalar.source ?? '');
    this.#size += 1;
    // An explicit tag makes Psych forget that the text was quoted.
    if (scalar.tag === undefined && scalar.type !== 'PLAIN') return leaf(text, offset);
    if (scalar.tag === stringTag || scalar.tag === '!str') return leaf(text, offset);
    if (isSymbol(text) && typeof readScalar(text) === 'string')
      this.#report(
        scalar,
        'warning',
        `${text} is a symbol to Ruby, here it is text: quote it to be read alike`,
      );
    return leaf(readScalar(text), offset);
  }

  #seq(seq: YAMLSeq): Located {
    this.#size += 1;
    const nodes = seq.items.map((item) => this.convert(item));
    const children = new Map(nodes.map((node, index) => [String(index), { keyOffset: node.offset, node }]));
    return located(
      nodes.map((node) => node.value),
      offsetOf(seq),
      children,
    );
  }

  #map(map: YAMLMap): Located {
    this.#size += 1;
    const children = new Map<string, LocatedChild>();
    const written = new Set<string>();
    for (const pair of map.items) {
      const key = this.#key(pair.key);
      const keyOffset = offsetOf(pair.key as Node);
      const node = pair.value === null ? leaf(null, keyOffset) : this.convert(pair.value);
      if (key === undefined) continue;
      // Ruby merges at the key's own place: over the keys before it, under those after it.
      const merged =
        key === '<<' && tagOf(pair.key) !== stringTag ? mergeSources(pair.value, node) : undefined;
      if (merged) for (const [name, child] of merged) children.set(name, child);
      else {
        if (written.has(key))
          this.#report(pair.key, 'warning', `Duplicate key ${JSON.stringify(key)}: the last one counts`);
        written.add(key);
        children.set(key, { keyOffset, node });
      }
    }
    const value = Object.fromEntries([...children].map(([key, child]) => [key, child.node.value]));
    return located(value, offsetOf(map), children);
  }

  #key(node: unknown): string | undefined {
    if (node === null) return '';
    const key = this.convert(node).value as ScalarValue | object;
    if (typeof key === 'object' && key !== null) {
      this.#report(node, 'error', 'A key must be a single value');
      return undefined;
    }
    if (key === '__proto__') {
      this.#report(node, 'error', 'The key __proto__ is not allowed');
      return undefined;
    }
    return key === null ? '' : String(key);
  }
}

const coreTag = 'tag:yaml.org,2002:';
const stringTag = `${coreTag}str`;
// What else Ruby knows makes objects, or (sets, binaries) means nothing in a configuration.
const knownTags = new Set([
  ...['str', 'null', 'bool', 'int', 'float', 'map', 'seq', 'timestamp'].map((name) => coreTag + name),
  '!str',
  '!',
]);

function leaf(value: unknown, offset: number): Located {
  return { value, offset, size: 1, children: none };
}

function located(value: unknown, offset: number, children: ReadonlyMap<string, LocatedChild>): Located {
  let size = 1;
  for (const child of children.values()) size += child.node.size;
  return { value, offset, size, children };
}

function tagOf(node: unknown): string | undefined {
  return (node as Node | null)?.tag;
}

function offsetOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}

/** The entries that `<<: value` brings in, or undefined when it is an ordinary key. */
function mergeSources(node: unknown, source: Located): ReadonlyMap<string, LocatedChild> | undefined {
  if (isSeq(node)) {
    const maps = [...source.children.values()].map((child) => child.node);
    if (!maps.every((map) => isRecord(map.value))) return undefined;
    return new Map(maps.reverse().flatMap((map) => [...map.children]));
  }
  return (isAlias(node) || isMap(node)) && isRecord(source.value) ? source.children : undefined;
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
