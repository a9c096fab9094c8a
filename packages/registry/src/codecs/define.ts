import type * as z from 'zod';
import type { InstanceCodec } from './types.js';

/** A codec as configuration chooses it: the options under `decode`, and what they make. */
export interface CodecDefinition<Schema extends z.ZodType> {
  readonly options: Schema;
  create(options: z.infer<Schema>): InstanceCodec;
}

/** Gives a definition its types. */
export function defineCodec<Schema extends z.ZodType>(
  definition: CodecDefinition<Schema>,
): CodecDefinition<Schema> {
  return definition;
}
