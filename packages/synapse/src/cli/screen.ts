import type { Output } from './output.js';

/** Where commands that go on write; main.ts lends the process's own. */
export interface Screen extends Output {
  /** The size of the terminal that is written to; undefined where it is none. */
  size(): { readonly columns: number; readonly rows: number } | undefined;
  /** Writes as it is; false while much of what was written is still on its way. */
  write(text: string): boolean;
  /** Resolves when it has left. */
  drained(): Promise<void>;
  /** Called when nobody reads any more, or the command is told to end. */
  onEnd(listener: () => void): void;
}

const escape = '\u001b[';
/** The screen for programs, without a cursor; and back to where one was. */
const enter = `${escape}?1049h${escape}?25l`;
const leave = `${escape}?25h${escape}?1049l`;

/** Shows pages in place, on a screen of their own that leaves no trace. */
export class Pages {
  readonly #screen: Screen;
  #isOpen = false;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** Shows as many lines as there is room for; each must fit into one. */
  show(lines: readonly string[]): void {
    const size = this.#screen.size();
    if (size === undefined) return;
    const page = lines.slice(0, Math.max(1, size.rows - 1)).map((line) => `${line}${escape}K`);
    const start = this.#isOpen ? '' : enter;
    this.#isOpen = true;
    this.#screen.write(`${start}${escape}H${page.join('\r\n')}${escape}J`);
  }

  /** Leaves the terminal as it was. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#screen.write(leave);
  }
}
