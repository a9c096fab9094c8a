import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { fillTables } from './keyTables.ts';
import { schemas } from './schemas.ts';

const root = resolve(import.meta.dirname, '..');

/** Every file that is generated from the code, with what it should hold: the schemas, and the tables of keys. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const [name, schema] of Object.entries(schemas)) {
    files.set(join(root, 'config/schema', name), `${JSON.stringify(schema, null, 2)}\n`);
  }
  const manual = join(root, 'docs/configuration.md');
  const filled = fillTables(await readFile(manual, 'utf8'), schemas);
  files.set(manual, await format(filled, { ...(await resolveConfig(manual)), parser: 'markdown' }));
  return files;
}
