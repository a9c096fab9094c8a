import * as z from 'zod';

/**
 * The JSON Schema of what `schema` accepts (its input side), as the text of a file, for editors. Parts
 * that JSON Schema cannot express become "anything".
 */
export function schemaFile(schema: z.ZodType, title: string): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
  }) as Record<string, unknown>;
  return `${JSON.stringify({ $schema, title, ...rest }, undefined, 2)}\n`;
}
