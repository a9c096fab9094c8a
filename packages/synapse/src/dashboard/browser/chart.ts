import { h, s, say, set } from './dom.js';
import { minuteOfDay, tickText, timeOfDay } from './format.js';
import { areaPath, linear, linePath, nearest, type Place, timeTicks } from './scale.js';

/** One line of a chart. */
interface Series {
  readonly name: string;
  /** Decides on its colour. */
  readonly kind: 'success' | 'requests' | 'failure' | 'p50' | 'p95' | 'p99';
  /** As an area down to the base. */
  readonly filled?: boolean;
  readonly values: readonly (number | null)[];
  /** Only in the legend. */
  readonly isHidden?: boolean;
}

/** What a chart shows. */
export interface ChartData {
  /** Wall clock milliseconds of the values. */
  readonly times: readonly number[];
  readonly from: number;
  readonly to: number;
  readonly series: readonly Series[];
  readonly ticks: readonly number[];
  readonly format: (value: number) => string;
}

const [left, right, top, bottom] = [64, 12, 8, 22];
const height = 168;

/** Tells all charts of a view where the pointer is. */
export type Pointing = (at: number | undefined) => void;

/** A chart over time, with a legend that has the newest values, or those at the pointer. */
export class Chart {
  readonly element: HTMLElement;
  readonly #svg = s('svg', { height, role: 'img' });
  readonly #grid = s('g', { class: 'grid' });
  readonly #lines = s('g');
  readonly #cursor = s('line', { class: 'cursor', y1: top, y2: height - bottom });
  readonly #legend = h('dl', { class: 'legend' });
  readonly #when = h('span', { class: 'muted when' });
  readonly #name: string;
  #data: ChartData | undefined;
  #pointed: number | undefined;
  #width = 0;

  constructor(name: string, onPoint: Pointing) {
    this.#name = name;
    this.#svg.append(this.#grid, this.#lines, this.#cursor);
    const title = h('figcaption', {}, h('h2', {}, name), this.#when, this.#legend);
    this.element = h('figure', { class: 'chart' }, title, this.#svg);
    this.#svg.addEventListener('pointermove', ({ offsetX }) => onPoint(this.#timeAt(offsetX)));
    this.#svg.addEventListener('pointerleave', () => onPoint(undefined));
    new ResizeObserver(() => this.#draw()).observe(this.#svg);
  }

  update(data: ChartData): void {
    this.#data = data;
    this.#draw();
  }

  /** Shows the values at a moment; the newest ones for undefined. */
  point(at: number | undefined): void {
    this.#pointed = at;
    this.#write();
  }

  #timeAt(x: number): number | undefined {
    const { from = 0, to = 1 } = this.#data ?? {};
    return linear([left, this.#width - right], [from, to])(x);
  }

  #draw(): void {
    const data = this.#data;
    this.#width = this.#svg.clientWidth;
    if (data === undefined || this.#width === 0) return;
    const { from, to, times, ticks, format, series } = data;
    const x = linear([from, to], [left, this.#width - right]);
    const y = linear([ticks[0] ?? 0, ticks.at(-1) ?? 1], [height - bottom, top]);
    const across = ticks.flatMap((tick) => [
      s('line', { x1: left, x2: this.#width - right, y1: y(tick), y2: y(tick) }),
      s('text', { x: left - 8, y: y(tick) + 4, 'text-anchor': 'end' }, tickText(format(tick))),
    ]);
    const along = timeTicks(from, to, Math.floor(this.#width / 110)).map((tick) =>
      s('text', { x: x(tick), y: height - 5, 'text-anchor': 'middle' }, minuteOfDay(tick)),
    );
    this.#grid.replaceChildren(...across, ...along);
    const base = height - bottom;
    this.#lines.replaceChildren(
      ...series
        .filter(({ isHidden }) => !isHidden)
        .flatMap(({ kind, filled, values }) => {
          const places = values.map((value, index): Place =>
            value === null ? null : [x(times[index] ?? 0), y(value)],
          );
          const area = filled ? [s('path', { class: `area ${kind}`, d: areaPath(places, base) })] : [];
          return [...area, s('path', { class: `curve ${kind}`, d: linePath(places) })];
        }),
    );
    this.#write();
  }

  /** The legend: values in words, for those who cannot see the lines as well. */
  #write(): void {
    const data = this.#data;
    if (data === undefined) return;
    const { times, series, from, to, format } = data;
    const pointed = this.#pointed === undefined ? -1 : nearest(times, this.#pointed);
    const valueOf = (values: readonly (number | null)[]): string => {
      const value = pointed === -1 ? values.findLast((one) => one !== null) : values[pointed];
      return value === null || value === undefined ? '–' : format(value);
    };
    const entries = series.map(({ name, kind, values }) => ({ name, kind, text: valueOf(values) }));
    if (this.#legend.childElementCount !== entries.length)
      this.#legend.replaceChildren(
        ...entries.map(({ name, kind }) => h('div', { class: kind }, h('dt', {}, name), h('dd'))),
      );
    for (const [index, { text }] of entries.entries()) {
      const value = this.#legend.children[index]?.lastElementChild;
      if (value) say(value, text);
    }
    const at = times[pointed];
    say(this.#when, at === undefined ? '' : timeOfDay(at));
    const place = at === undefined ? -10 : linear([from, to], [left, this.#width - right])(at);
    set(this.#cursor, 'x1', place);
    set(this.#cursor, 'x2', place);
    const words = entries.map(({ name, text }) => `${name} ${text}`).join(', ');
    set(this.#svg, 'aria-label', `${this.#name}: ${words}`);
  }
}
