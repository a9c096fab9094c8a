import * as z from 'zod';

/**
 * A kind whose schema is made when it is first asked for: making all of them would take a noticeable part of a start
 * that needs one.
 */
export function withLazyOptions<S, K extends object>({
  options,
  ...kind
}: K & { readonly options: () => S }): Omit<K, 'options'> & { readonly options: S } {
  let made: S | undefined;
  return {
    ...kind,
    get options() {
      return (made ??= options());
    },
  };
}

/** Reads a block by the schema that the block itself asks for. Only schemas that are asked for are made. */
export function schemaByBlock<T>(schemaOf: (block: unknown) => z.ZodType<T>): z.ZodType<T> {
  return z.unknown().transform((block, context): T => {
    const result = schemaOf(block).safeParse(block);
    if (result.success) return result.data;
    // With their texts: what becomes of them otherwise depends on a schema that knows nothing.
    context.issues.push(...result.error.issues.map((issue) => ({ ...issue, input: block }) as never));
    return z.NEVER;
  });
}
