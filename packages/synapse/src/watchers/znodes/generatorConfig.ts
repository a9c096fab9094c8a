import type { GeneratorBlocks } from '../../catalog/types.js';

/** What the data of a znode say about generators. */
export type ParsedGeneratorConfig =
  /** No data, or nothing in them: whatever is in force stays. */
  | { readonly kind: 'none'; readonly warnings: readonly string[] }
  | { readonly kind: 'blocks'; readonly blocks: GeneratorBlocks; readonly warnings: readonly string[] }
  | { readonly kind: 'invalid'; readonly reason: string };

/** Nothing in a block nests deeper; comparing and writing it recurses, and must not meet what would end it. */
const maxDepth = 100;

function isDeeper(root: unknown): boolean {
  let level: unknown[] = [root];
  for (let depth = 0; depth <= maxDepth; depth += 1) {
    level = level.flatMap((value): unknown[] =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
    if (level.length === 0) return false;
  }
  return true;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses `{"haproxy": {…}}`. Blocks of generators that do not run are left out with a warning. */
export function parseGeneratorConfig(data: Buffer, generators: readonly string[]): ParsedGeneratorConfig {
  const text = data.toString('utf8').trim();
  if (text === '') return { kind: 'none', warnings: [] };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { kind: 'invalid', reason: error instanceof Error ? error.message : String(error) };
  }
  if (!isObject(value)) return { kind: 'invalid', reason: 'not a JSON object' };
  if (isDeeper(value)) return { kind: 'invalid', reason: `nested more than ${maxDepth} levels deep` };
  const warnings: string[] = [];
  const blocks: [string, unknown][] = [];
  for (const [generator, block] of Object.entries(value)) {
    if (!generators.includes(generator)) warnings.push(`no generator is called ${JSON.stringify(generator)}`);
    else if (isObject(block)) blocks.push([generator, block]);
    else {
      warnings.push(`the block of ${generator} is not an object`);
      blocks.push([generator, {}]);
    }
  }
  if (blocks.length === 0) return { kind: 'none', warnings };
  return { kind: 'blocks', blocks: Object.fromEntries(blocks), warnings };
}
