import { definedBy } from '@smartstack/agent/plugins';
import type * as z from 'zod';

/** A kind as `define` of a module's tools makes it, or as another schema library would have it. */
export interface ModuleKind {
  readonly schema: z.ZodType;
  /** Keys beyond those of the block itself; unknown ones are not told of where it is absent. */
  readonly keys?: readonly string[];
}

/** What a module may export: its name, the shape of its options in zod, and its functions. */
interface ModuleDefinition {
  readonly options: Readonly<Record<string, z.ZodType>>;
}

/**
 * The kind that a module exports: a definition, or a function that makes one of `{ z, define }`, for nothing of synapse
 * can be imported from outside. `functions` are those it must have. Throws with what is wrong with it.
 */
export async function moduleKind<Kind extends ModuleKind>(
  exported: Readonly<Record<string, unknown>>,
  what: string,
  functions: readonly string[],
): Promise<Kind> {
  const { z: zod } = await import('./clients/zod.js');
  const define = <D extends ModuleDefinition>(definition: D) => ({
    ...definition,
    schema: zod.object(definition.options),
    keys: Object.keys(definition.options),
  });
  const made = Object(await definedBy(exported, { z: zod, define })) as Partial<Kind>;
  const isKind =
    typeof made.schema?.safeParse === 'function' &&
    functions.every((name) => typeof (made as Record<string, unknown>)[name] === 'function');
  if (!isKind)
    throw new Error(
      `its default export is no ${what}: expected define({ options, ${functions.join(', ')} }), or a function of { define, z } that returns it`,
    );
  return made as Kind;
}
