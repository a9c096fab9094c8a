import * as z from 'zod';

const units = { s: 1, m: 60, h: 3600, d: 86_400 };
/** A year. What lasts longer should be configured. */
const maxSeconds = 366 * units.d;

/** A time span as people write it: seconds, or `90s`, `10m`, `2h`, `1h30m`, `1d`. Its output is milliseconds. */
export const duration = z
  .union([z.number(), z.string()], 'expected seconds, or text such as "10m"')
  .transform((value, context) => {
    const seconds = typeof value === 'number' ? value : secondsOf(value);
    if (seconds > 0 && seconds <= maxSeconds) return Math.ceil(seconds * 1000);
    const message =
      'expected seconds, or text such as "90s", "10m", "1h30m" or "2d": more than 0, at most a year';
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  })
  .describe('Seconds, or text such as "90s", "10m", "1h30m" or "2d".');

function secondsOf(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  if (!/^(\d{1,9}[smhd])+$/.test(text)) return Number.NaN;
  return [...text.matchAll(/(\d+)([smhd])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * units[unit as keyof typeof units],
    0,
  );
}
