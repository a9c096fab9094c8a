import * as z from 'zod';

/** An entry of a list whose kind is in a module, as the schema leaves it: its own options are not looked at yet. */
const entry = z.looseObject({
  type: z.string().describe('The kind, as the module calls it.'),
  module: z
    .string()
    .describe('An ES module that defines the kind: ./path beside this file, or the name of a package.'),
});

/** Such an entry among `types`, the kinds that are built in: those need no module, as with airbnb's nerve. */
export function pluginEntry<T>(
  types: ReadonlySet<string>,
  made: (entry: { readonly type: string; readonly module: string; readonly [key: string]: unknown }) => T,
) {
  const isPlugin = (value: unknown): boolean => {
    const { type, module } = (value ?? {}) as { readonly type?: unknown; readonly module?: unknown };
    return typeof module === 'string' && typeof type === 'string' && !types.has(type);
  };
  return z.preprocess((value) => (isPlugin(value) ? value : undefined), entry.transform(made));
}
