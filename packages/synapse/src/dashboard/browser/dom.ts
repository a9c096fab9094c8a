/** What an element may be given: attributes, listeners, and nothing that would be read as HTML. */
export type Given = Readonly<
  Record<string, string | number | boolean | undefined | ((event: never) => void)>
>;

type Child = Node | string | undefined;

const svgNames = 'http://www.w3.org/2000/svg';

function fill<E extends Element>(element: E, given: Given, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === 'function') element.addEventListener(name, value as EventListener);
    else set(element, name, value);
  }
  // Texts become text nodes: a name never is markup.
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** Makes an HTML element. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  given: Given = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), given, children);
}

/** Makes an SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  given: Given = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS(svgNames, tag), given, children);
}

/** Sets an attribute where it differs; undefined and false remove it. */
export function set(element: Element, name: string, value: string | number | boolean | undefined): void {
  if (value === undefined || value === false) element.removeAttribute(name);
  else {
    const text = value === true ? '' : String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

/** Sets the text of an element where it differs: what did not change is not painted, nor read out, again. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows or hides an element. */
export function show(element: Element, visible: boolean): void {
  set(element, 'hidden', !visible);
}

/** Something on the page that shows items of a list. */
export interface Part<T> {
  readonly element: Element;
  update(item: T): void;
}

/** Keeps the children of `parent` in step with a list, and each child that stays the element that it was. */
export class List<T> {
  readonly #parts = new Map<string, Part<T>>();
  readonly #parent: Element;
  readonly #key: (item: T) => string;
  readonly #make: (item: T) => Part<T>;
  readonly #kept: number;

  /** The first `kept` children of the parent are none of its own. */
  constructor(parent: Element, key: (item: T) => string, make: (item: T) => Part<T>, kept = 0) {
    this.#parent = parent;
    this.#key = key;
    this.#make = make;
    this.#kept = kept;
  }

  update(items: readonly T[]): void {
    const left = new Set(this.#parts.keys());
    let before: Element | null = this.#parent.children[this.#kept] ?? null;
    for (const item of items) {
      const key = this.#key(item);
      if (!left.delete(key) && this.#parts.has(key)) continue;
      const part = this.#parts.get(key) ?? this.#make(item);
      this.#parts.set(key, part);
      part.update(item);
      if (part.element === before) before = before.nextElementSibling;
      else this.#parent.insertBefore(part.element, before);
    }
    for (const key of left) {
      this.#parts.get(key)?.element.remove();
      this.#parts.delete(key);
    }
  }

  get(key: string): Part<T> | undefined {
    return this.#parts.get(key);
  }
}
