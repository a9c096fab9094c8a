import * as z from 'zod';

/** Line breaks and the other control characters that could end a line of a file, or hide in one. Tabs may stay. */
const controlCharacters = /[\u0000-\u0008\u000a-\u001f\u007f\u0085\u2028\u2029]/;

/** True when `text` can stand in one line of a file without ending it. */
export function isOneLine(text: string): boolean {
  return !controlCharacters.test(text);
}

/** One line of a file; a trailing newline (a YAML block scalar's) is forgiven. */
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
