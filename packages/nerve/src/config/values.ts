import * as z from 'zod';

/** Ruby calls `to_f` or `to_i` on these, so that a quoted number is as good as a plain one. */
const numberLike = z.union([z.number(), z.string().regex(/^\s*[+-]?\d+(\.\d+)?\s*$/, 'expected a number')]);

/** A key that may be missing or empty: YAML's `key:` without a value means null, which Ruby ignores. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** Like `optional`, with the value that a missing or empty key has. */
export function withDefault<T extends z.ZodType>(schema: T, fallback: z.output<T>) {
  return schema
    .nullish()
    .transform((value) => value ?? fallback)
    .meta({ default: fallback });
}

/** A duration in seconds, fractions allowed, above 0 and at most 23 days: timers go no further. */
export const seconds = numberLike.transform(Number).pipe(z.number().positive().max(2_000_000));

/** How many results in a row: 1 to 1000; fractions are cut off, as `to_i` does. */
export const count = numberLike
  .transform((value) => Math.trunc(Number(value)))
  .pipe(z.number().int().min(1).max(1000));

/** A TCP port. A quoted number keeps its type on the way to the registry, as with airbnb's nerve. */
export const port = z.union([
  z.number().int().min(1).max(65_535),
  z
    .string()
    .regex(/^[1-9]\d{0,4}$/, { error: 'expected a port from 1 to 65535', abort: true })
    .refine((text) => Number(text) <= 65_535, 'expected a port from 1 to 65535'),
]);

/** A host name, an IPv4 or an IPv6 address; nothing that could end a word, a line or a path. */
export const host = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[A-Za-z0-9._:%-]+$/, 'expected a host name or an address');

/** A list, or a single value standing for a list of one. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.union([z.array(item).min(1), item.transform((value) => [value])]);
}

/** The path of a file that does not depend on where the agent was started. */
export const absolutePath = z
  .string()
  .startsWith('/', 'expected an absolute path')
  .refine((path) => !path.includes('\0'), 'expected a path');
