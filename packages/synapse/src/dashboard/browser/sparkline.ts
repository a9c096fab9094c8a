import { s, set } from './dom.js';
import { areaPath, linear, linePath, type Place } from './scale.js';

const [width, height] = [120, 28];

/** A small curve without axes: the shape of the last minutes. */
export class Sparkline {
  readonly element: SVGSVGElement;
  readonly #area = s('path', { class: 'spark-area' });
  readonly #line = s('path', { class: 'spark-line' });
  readonly #failures = s('path', { class: 'spark-bad' });

  constructor() {
    const box = { viewBox: `0 0 ${width} ${height}`, width, height, preserveAspectRatio: 'none' };
    this.element = s(
      'svg',
      { ...box, class: 'spark', 'aria-hidden': 'true' },
      this.#area,
      this.#line,
      this.#failures,
    );
  }

  /** Shows requests, and failures on the same scale; null where nothing was counted. */
  update(requests: readonly (number | null)[], failures: readonly (number | null)[]): void {
    const x = linear([0, Math.max(1, requests.length - 1)], [1, width - 1]);
    const top = Math.max(1, ...requests.map((value) => value ?? 0));
    const y = linear([0, top], [height - 2, 3]);
    const places = (values: readonly (number | null)[]): readonly Place[] =>
      values.map((value, index) => (value === null ? null : [x(index), y(value)]));
    const known = places(requests);
    set(this.#area, 'd', areaPath(known, height - 1));
    set(this.#line, 'd', linePath(known));
    // A few of a thousand are no shape; the column beside has them.
    const many = failures.map((value, index) => ((value ?? 0) >= 0.01 * (requests[index] ?? 0) ? value : 0));
    set(
      this.#failures,
      'd',
      many.some((value) => (value ?? 0) > 0) ? areaPath(places(many), height - 1) : '',
    );
  }
}
