/** Stands for what is not known. */
export const none = '–';

const grouped = new Intl.NumberFormat('en-GB');
const time = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const minute = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' });
const moment = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

/** A whole number, in groups of three digits. */
export function count(value: number): string {
  return grouped.format(Math.round(value));
}

/** So many of something: `1 server`, `3 servers`. */
export function counted(value: number, what: string): string {
  return `${count(value)} ${what}${value === 1 ? '' : 's'}`;
}

/** A share from 0 to 1. It says 100 % only when nothing failed, and 0 % only when all did. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return none;
  if (share >= 1) return '100 %';
  if (share <= 0) return '0 %';
  const value = share * 100;
  if (value >= 99) return `${cut(value, 2)} %`;
  if (value < 0.1) return '< 0.1 %';
  return `${value >= 10 ? cut(value, 1) : value.toFixed(1)} %`;
}

/** Cut, not rounded: a loss is never rounded away. */
function cut(value: number, digits: number): string {
  const factor = 10 ** digits;
  return (Math.floor(value * factor + 1e-9) / factor).toFixed(digits);
}

/** The same text without the zeros at the end of its fraction: round numbers, on an axis. */
export function tickText(text: string): string {
  return text.replace(/(\.\d*?)0+(?=\D|$)/, '$1').replace(/\.(?=\D|$)/, '');
}

/** Requests in a second. */
export function rate(value: number): string {
  if (value <= 0) return '0';
  if (value < 0.01) return '< 0.01';
  if (value < 1) return value.toFixed(2);
  if (value < 99.95) return value.toFixed(1);
  if (value < 9_999.5) return count(value);
  return short(value);
}

function short(value: number): string {
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const) {
    if (value >= size * 0.9995) return `${(value / size).toPrecision(3)}${unit}`;
  }
  return String(value);
}

/** A latency, given in seconds; `last` is the bound above which nothing is told apart. */
export function latency(seconds: number | null | undefined, last = Infinity): string {
  if (seconds === null || seconds === undefined) return none;
  if (seconds >= last) return `> ${last} s`;
  const ms = seconds * 1000;
  if (ms < 0.995) return `${ms.toFixed(2)} ms`;
  if (ms < 99.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  return `${seconds.toFixed(1)} s`;
}

/** An amount of bytes. */
export function bytes(value: number): string {
  if (value < 1000) return `${Math.round(value)} B`;
  const units = ['kB', 'MB', 'GB', 'TB', 'PB'];
  let [amount, unit] = [value / 1000, 0];
  while (amount >= 999.5 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${amount < 99.95 ? amount.toFixed(1) : amount.toFixed(0)} ${units[unit] ?? ''}`;
}

/** How long, given in milliseconds; its two largest units. */
export function duration(ms: number): string {
  const total = Math.max(0, Math.round(ms / 1000));
  const parts = [
    [Math.floor(total / 86_400), 'd'],
    [Math.floor(total / 3_600) % 24, 'h'],
    [Math.floor(total / 60) % 60, 'min'],
    [total % 60, 's'],
  ] as const;
  const first = parts.findIndex(([value]) => value > 0);
  if (first === -1) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}

/** The same in its largest unit only. */
export function roughly(ms: number): string {
  return duration(ms).replace(/^(\d+ \w+) .*$/, '$1');
}

/** `09:41:00`, here. */
export function timeOfDay(ms: number): string {
  return time.format(ms);
}

/** `09:41`, here. */
export function minuteOfDay(ms: number): string {
  return minute.format(ms);
}

/** The date as well. */
export function dateAndTime(ms: number): string {
  return moment.format(ms);
}

/** How good a share of successes is. */
export type Level = 'good' | 'fair' | 'bad' | 'none';

/** What is below 99 % wants attention, below 95 % at once. */
export function levelOf(share: number | null | undefined): Level {
  if (share === null || share === undefined) return 'none';
  if (share >= 0.99) return 'good';
  return share >= 0.95 ? 'fair' : 'bad';
}
