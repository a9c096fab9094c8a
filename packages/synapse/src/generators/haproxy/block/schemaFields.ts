import * as z from 'zod';

/** Line breaks and the other control characters that could end a line of haproxy.cfg, or hide in one. Tabs may stay. */
const controlCharacters = /[\u0000-\u0008\u000a-\u001f\u007f\u0085\u2028\u2029]/;

/** True when `text` can stand in one line of haproxy.cfg without ending it. */
export function isOneLine(text: string): boolean {
  return !controlCharacters.test(text);
}

/** Names of sections: what HAProxy accepts as a proxy's name. */
export const sectionName = /^[A-Za-z0-9_.:-]{1,255}$/;

/** One line of haproxy.cfg; a trailing newline (a YAML block scalar's) is forgiven. */
const line = z
  .string()
  .transform((text) => text.replace(/\n+$/, ''))
  .refine(isOneLine, 'must be a single line without control characters');

/** A list of lines, or one line alone (which crashes Ruby's synapse); `null` is an empty list. */
export const lines = z
  .union([line, z.array(line)], 'must be a line or a list of lines, each without control characters')
  .nullable()
  .transform((value): readonly string[] =>
    value === null ? [] : typeof value === 'string' ? [value] : value,
  );

/** A non-empty string on one line. */
export const text = z
  .string()
  .min(1, 'must not be empty')
  .refine(isOneLine, 'must be a single line without control characters');

/** A boolean as Ruby sees it: `null` is false. */
export const flag = z
  .boolean()
  .nullable()
  .transform((value) => value ?? false);

/** An integer in `min` to `max`, also as a string of digits (Ruby calls `to_i`). */
export function integer(min: number, max: number) {
  return z
    .union(
      [z.number(), z.string().regex(/^\d{1,15}$/, 'must be an integer')],
      `must be an integer from ${min} to ${max}`,
    )
    .transform(Number)
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, {
      message: `must be an integer from ${min} to ${max}`,
    });
}

/** A number of at least 0, also as a string (Ruby calls `to_f`). */
export const nonNegative = z
  .union([z.number(), z.string().regex(/^\d{1,15}(\.\d+)?$/, 'must be a number')], 'must be a number')
  .transform(Number)
  .refine((value) => value >= 0, 'must not be negative');

/** An integer of any size: `md5` seeds have 128 bits, more than a JavaScript number holds. */
export const bigInteger = z
  .unknown()
  .transform((value, context): bigint => {
    if (typeof value === 'bigint') return value;
    if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
    if (typeof value === 'string' && /^-?\d{1,400}$/.test(value)) return BigInt(value);
    const message =
      typeof value === 'number' && Number.isInteger(value)
        ? 'lost digits beyond 2^53 on its way here; write it as a string'
        : 'must be an integer';
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  })
  .meta({ type: ['integer', 'string'] });

const durationMessage = 'must be a duration such as 500ms, 10s, 5m or 1h';

/** HAProxy's notation of a duration: `500ms`, `10s`, `5m`, `1h`; a bare number is milliseconds. */
export const duration = z
  .union(
    [
      z.int(durationMessage).nonnegative(durationMessage),
      z.string().regex(/^\d{1,10}(us|ms|s|m|h|d)?$/, durationMessage),
    ],
    { error: durationMessage },
  )
  .transform(String);

/** What the kernel takes, and what HAProxy binds: it adds a suffix while it does. In bytes. */
const socketPathBytes = { connect: 107, bind: 97 } as const;

/** Why HAProxy's socket cannot be at `path`, which synapse connects to, and has HAProxy `bind` where it says so. */
export function socketPathProblem(path: string, use: 'connect' | 'bind'): string | undefined {
  const most = socketPathBytes[use];
  const bytes = Buffer.byteLength(path);
  return bytes > most ? `too long for the path of a socket: ${bytes} bytes, at most ${most}` : undefined;
}
