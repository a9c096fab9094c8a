/** Maps a number of one span to one of another. */
export type Scale = (value: number) => number;

/** Straight; everything in the middle where the span is empty. */
export function linear(
  [from, to]: readonly [number, number],
  [left, right]: readonly [number, number],
): Scale {
  const width = to - from;
  return (value) => (width === 0 ? (left + right) / 2 : left + ((value - from) / width) * (right - left));
}

/** Round numbers from 0 up to the first that is not below `max`: at most `most` steps. */
export function ticksTo(max: number, most = 4): readonly number[] {
  if (!(max > 0) || !Number.isFinite(max)) return [0, 1];
  const step = roundStep(max / most);
  const steps = Math.ceil(max / step - 1e-9);
  return Array.from({ length: steps + 1 }, (_, index) => tidy(index * step));
}

/** The smallest of 1, 2, 2.5 and 5 times a power of ten that is at least `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least) + 1e-9);
  const factor = [1, 2, 2.5, 5].find((each) => each * power >= least * (1 - 1e-9)) ?? 10;
  return factor * power;
}

function tidy(value: number): number {
  return Number(value.toPrecision(12));
}

/** For shares near 1: from a round share below all of `values` up to 1. */
export function shareTicks(values: readonly (number | null)[]): readonly number[] {
  const known = values.filter((value) => value !== null);
  const lowest = known.length === 0 ? 1 : Math.min(...known);
  const from = [0.99, 0.98, 0.95, 0.9, 0.75, 0.5].find((each) => each <= lowest) ?? 0;
  return [from, tidy((from + 1) / 2), 1];
}

const steps = [10, 30, 60, 120, 300, 600, 900, 1_200].map((seconds) => seconds * 1000);

/** Round moments of a span of time, in milliseconds: at most `most`. */
export function timeTicks(from: number, to: number, most: number): readonly number[] {
  const step = steps.find((each) => (to - from) / each <= most) ?? 3_600_000;
  const ticks: number[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at);
  return ticks;
}

/** A point of a line; null where nothing is known. */
export type Place = readonly [x: number, y: number] | null;

const at = ([x, y]: readonly [number, number]): string =>
  `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;

/** The runs of known points. */
function runs(places: readonly Place[]): readonly (readonly (readonly [number, number])[])[] {
  const found: (readonly [number, number])[][] = [[]];
  for (const place of places) {
    if (place === null) found.push([]);
    else found.at(-1)?.push(place);
  }
  return found.filter((run) => run.length > 0);
}

/** The path of a line, with gaps; a point that stands alone is a dot. */
export function linePath(places: readonly Place[]): string {
  return runs(places)
    .map((run) => `M${run.map(at).join('L')}${run.length === 1 ? 'h.01' : ''}`)
    .join('');
}

/** The path of what lies between a line and `base`. */
export function areaPath(places: readonly Place[], base: number): string {
  return runs(places)
    .filter((run) => run.length > 1)
    .map((run) => {
      const [first = [0, 0], last = [0, 0]] = [run[0], run.at(-1)];
      return `M${at([first[0], base])}L${run.map(at).join('L')}L${at([last[0], base])}Z`;
    })
    .join('');
}

/** The index of what is nearest to `value` in a rising list; -1 in an empty one. */
export function nearest(values: readonly number[], value: number): number {
  let best = -1;
  for (const [index, each] of values.entries()) {
    if (best === -1 || Math.abs(each - value) < Math.abs((values[best] ?? 0) - value)) best = index;
  }
  return best;
}
