import { h, say, set } from './dom.js';

const themes = ['system', 'light', 'dark'] as const;
type Theme = (typeof themes)[number];
const key = 'smartstack-theme';

const signs: Readonly<Record<Theme, string>> = { system: '◐', light: '☀', dark: '☾' };

/** The button that goes from the system's theme to light, to dark and back. */
export class ThemeButton {
  readonly element: HTMLButtonElement;
  #theme: Theme = 'system';

  constructor() {
    this.element = h('button', { type: 'button', class: 'icon', click: () => this.next() });
    const kept = remembered();
    this.#become(themes.find((theme) => theme === kept) ?? 'system');
  }

  next(): void {
    this.#become(themes[(themes.indexOf(this.#theme) + 1) % themes.length] ?? 'system');
    try {
      localStorage.setItem(key, this.#theme);
    } catch {
      // Where nothing may be kept it lasts as long as the page.
    }
  }

  #become(theme: Theme): void {
    this.#theme = theme;
    set(document.documentElement, 'data-theme', theme === 'system' ? undefined : theme);
    say(this.element, signs[theme]);
    set(this.element, 'aria-label', `Theme: ${theme}`);
    set(this.element, 'title', `Theme: ${theme} (t)`);
  }
}

function remembered(): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
