type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;

/** An object type with its snake_case keys renamed to camelCase; nested values stay as they are. */
export type CamelKeys<T> = { [K in keyof T as K extends string ? Camel<K> : K]: T[K] };

/** One key's name in camelCase. */
export function camel(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * Renames one level of keys from airbnb's snake_case. Called by the schemas only, so that the
 * rest of the code never sees a file's spelling.
 */
export function camelKeys<T extends object>(object: T): CamelKeys<T> {
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [camel(key), value]),
  ) as CamelKeys<T>;
}
