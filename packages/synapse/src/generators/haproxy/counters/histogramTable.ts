import { type HistogramRow, histogramWidth } from './histograms.js';

const [zero, nine, equals, space] = [48, 57, 61, 32];

/** The counts behind `gpc0=` of a line; undefined when they are others than ours. */
function countsFrom(line: string, start: number): number[] | undefined {
  const counts = new Array<number>(histogramWidth).fill(0);
  let at = start;
  for (let index = 0; index < histogramWidth; index += 1) {
    at = line.indexOf('=', at) + 1;
    if (at === 0) return undefined;
    let value = 0;
    const first = at;
    for (let code = line.charCodeAt(at); code >= zero && code <= nine; code = line.charCodeAt((at += 1)))
      value = value * 10 + code - zero;
    if (at === first) return undefined;
    counts[index] = value;
  }
  // More of them: somebody else's table.
  return at < line.length && line.charCodeAt(at) !== space
    ? undefined
    : line.includes('=', at)
      ? undefined
      : counts;
}

/** A copy of its own: a piece of a long answer would keep all of that in memory. */
function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/**
 * One line of `show table`: `0x55d: key=web/1 use=0 exp=0 gpc0=3 gpc1=0 …`. Undefined for the header, 'malformed' for
 * what is no entry of ours.
 */
export function readHistogram(line: string): HistogramRow | undefined | 'malformed' {
  if (line === '' || line.startsWith('# table:')) return undefined;
  const keyAt = line.indexOf(' key=') + 5;
  const keyEnd = line.indexOf(' ', keyAt);
  const useAt = line.indexOf(' use=', keyEnd - 1);
  const countsAt = line.indexOf(' gpc0=', keyEnd);
  if (keyAt < 5 || keyEnd <= keyAt || useAt < 0 || countsAt < 0) return 'malformed';
  if (line.charCodeAt(countsAt + 5) !== equals) return 'malformed';
  const counts = countsFrom(line, countsAt);
  if (counts === undefined) return 'malformed';
  const inUse = line.charCodeAt(useAt + 5) !== zero;
  return { key: copyOf(line.slice(keyAt, keyEnd)), counts, inUse };
}

/** How HAProxy answers that a worker has no such table: it was loaded before there was one. */
export function hasNoTable(answer: string): boolean {
  return /^(No such table|Unable to find table)/.test(answer);
}
