import * as z from 'zod';

/** A block whose kind is in a module, as the schema leaves it: its own options are not looked at yet. */
type PluginBlock<Key extends string> = Readonly<Record<Key, string>> & {
  readonly module: string;
  readonly [key: string]: unknown;
};

/**
 * A block that names a module, for a kind that is none of `builtIn`: those need no module, as with airbnb's pair. The
 * kind is what the block has as `key` (`type`, `method`).
 */
export function pluginEntry<const Key extends string, T>(
  key: Key,
  builtIn: ReadonlySet<string>,
  made: (entry: PluginBlock<Key>) => T,
) {
  const shape = {
    [key]: z.string().describe('The kind, as the module calls it.'),
    module: z
      .string()
      .describe('An ES module that defines the kind: ./path beside this file, or the name of a package.'),
  };
  const entry = z.looseObject(shape).transform((value) => made(value as unknown as PluginBlock<Key>));
  return z.preprocess((value) => (isPlugin(value, key, builtIn) ? value : undefined), entry);
}

/** Whether a block names a module for a kind that is none of `builtIn`. */
function isPlugin(value: unknown, key: string, builtIn: ReadonlySet<string>): boolean {
  const block = (value ?? {}) as Readonly<Record<string, unknown>>;
  const kind = block[key];
  return typeof block.module === 'string' && typeof kind === 'string' && !builtIn.has(kind);
}
