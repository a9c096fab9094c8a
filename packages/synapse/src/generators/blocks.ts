import { AgentError } from '@smartstack/agent';
import type * as z from 'zod';

import type { BlockIssue } from '../catalog/types.js';

/** A block as read: undefined when it has an error. Issues are complete either way. */
export interface ReadBlock<T> {
  readonly config: T | undefined;
  readonly issues: readonly BlockIssue[];
}

/**
 * Reads a block with its strict schema. Keys that Ruby ignores are no reason to refuse a file that served for years:
 * they are reported, with what `unknownKey` says of them, and left out.
 */
export function readBlock<T>(
  schema: z.ZodType<T>,
  block: unknown,
  unknownKey: (key: string) => string | undefined = () => undefined,
): ReadBlock<T> {
  const warnings: BlockIssue[] = [];
  let result = schema.safeParse(block);
  let value = block;
  if (!result.success && typeof block === 'object' && block !== null) {
    const unknown = result.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [],
    );
    if (unknown.length > 0) {
      for (const key of unknown) {
        warnings.push({
          path: [key],
          message: unknownKey(key) ?? 'unknown key, ignored',
          severity: 'warning',
        });
      }
      value = Object.fromEntries(Object.entries(block).filter(([key]) => !unknown.includes(key)));
      result = schema.safeParse(value);
    }
  }
  if (result.success) return { config: result.data, issues: warnings };
  const errors = result.error.issues.map(({ path, message }): BlockIssue => ({
    path,
    message,
    severity: 'error',
  }));
  return { config: undefined, issues: [...warnings, ...errors] };
}

/**
 * A reader of blocks whose schema is made when the first one is read: whoever has no such generator does not pay for
 * it. Blocks are values: one that was read before is not read again.
 */
export function blockReader<T>(schema: () => z.ZodType<T>): (block: unknown) => ReadBlock<T> {
  const known = new WeakMap<object, ReadBlock<T>>();
  let made: z.ZodType<T> | undefined;
  return (block) => {
    made ??= schema();
    if (typeof block !== 'object' || block === null) return readBlock(made, block);
    const read = known.get(block) ?? readBlock(made, block);
    known.set(block, read);
    return read;
  };
}

/** The configuration of a block that passed `check`. Throws AgentError `config` on one that did not. */
export function configOf<T>(name: string, { config, issues }: ReadBlock<T>): T {
  if (config !== undefined) return config;
  const problems = issues.map(({ path, message }) => `${[name, ...path].join('.')}: ${message}`);
  throw new AgentError('config', problems.join('; '));
}
