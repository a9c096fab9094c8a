import { h, say, set } from './dom.js';

/** A number that matters, with its name. */
export class Tile {
  readonly element: HTMLElement;
  readonly #value = h('span', { class: 'tile-value' }, '\u2007');
  readonly #note = h('span', { class: 'tile-note' });

  constructor(name: string, onClick?: () => void) {
    const parts = [h('span', { class: 'tile-name' }, name), this.#value, this.#note];
    this.element = onClick
      ? h('button', { class: 'tile', type: 'button', click: onClick }, ...parts)
      : h('div', { class: 'tile' }, ...parts);
  }

  update(value: string, note = '', level = 'none'): void {
    say(this.#value, value);
    say(this.#note, note);
    set(this.element, 'data-level', level);
  }
}

/** Buttons of which one is chosen. */
export class Choice<T> {
  readonly element: HTMLElement;
  readonly #buttons: ReadonlyMap<T, HTMLButtonElement>;

  constructor(name: string, options: readonly (readonly [T, string])[], onChoice: (value: T) => void) {
    this.#buttons = new Map(
      options.map(([value, text]) => [
        value,
        h('button', { type: 'button', click: () => onChoice(value) }, text),
      ]),
    );
    this.element = h(
      'div',
      { class: 'choice', role: 'group', 'aria-label': name },
      ...this.#buttons.values(),
    );
  }

  update(chosen: T): void {
    for (const [value, button] of this.#buttons) set(button, 'aria-pressed', String(value === chosen));
  }
}
