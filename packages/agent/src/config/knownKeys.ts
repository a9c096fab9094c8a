import type * as z from 'zod';

type Definition = { readonly type: string } & Readonly<Record<string, unknown>>;

function definition(schema: unknown): Definition {
  return (schema as z.core.$ZodType)._zod.def as unknown as Definition;
}

/** The keys that `schema` names for the object at `path`; empty where it names none. */
export function knownKeys(schema: unknown, path: readonly PropertyKey[]): ReadonlySet<string> {
  let level = unwrap(schema);
  for (const part of path) level = level.flatMap((one) => step(one, part)).flatMap(unwrap);
  const keys = new Set<string>();
  for (const one of level) {
    const { type, shape } = definition(one);
    if (type === 'object') for (const key of Object.keys(shape as object)) keys.add(key);
  }
  return keys;
}

/** The objects, records, arrays and scalars that a schema comes down to. */
function unwrap(schema: unknown): readonly unknown[] {
  const def = definition(schema);
  switch (def.type) {
    case 'union':
      return (def.options as readonly unknown[]).flatMap(unwrap);
    case 'intersection':
      return [def.left, def.right].flatMap(unwrap);
    case 'pipe':
      // A preprocess is a pipe whose input is a transform: what is known is on the other side.
      return unwrap(definition(def.in).type === 'transform' ? def.out : def.in);
    case 'lazy':
      return unwrap((def.getter as () => unknown)());
    default:
      return def.innerType === undefined ? [schema] : unwrap(def.innerType);
  }
}

function step(schema: unknown, part: PropertyKey): readonly unknown[] {
  const def = definition(schema);
  switch (def.type) {
    case 'object': {
      const shape = def.shape as Readonly<Record<PropertyKey, unknown>>;
      if (Object.hasOwn(shape, part)) return [shape[part]];
      return def.catchall === undefined ? [] : [def.catchall];
    }
    case 'record':
      return [def.valueType];
    case 'array':
      return [def.element];
    case 'tuple':
      return [(def.items as readonly unknown[])[Number(part)] ?? def.rest].filter((item) => item != null);
    default:
      return [];
  }
}
