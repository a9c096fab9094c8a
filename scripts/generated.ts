import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { apis } from './apis.ts';
import { fillTables } from './keyTables.ts';
import { fillMetrics } from './metricTables.ts';
import { schemas } from './schemas.ts';

const root = resolve(import.meta.dirname, '..');

/** Every file that is generated from the code, with what it should hold: the schemas, the tables of keys and of metrics. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const [name, schema] of Object.entries({ ...schemas, ...apis })) {
    files.set(join(root, 'config/schema', name), `${JSON.stringify(schema, null, 2)}\n`);
  }
  const documents = new Map([
    ['docs/configuration.md', (text: string) => fillTables(text, schemas)],
    ['docs/operations.md', fillMetrics],
  ]);
  for (const [name, fill] of documents) {
    const file = join(root, name);
    const options = { ...(await resolveConfig(file)), parser: 'markdown' };
    files.set(file, await format(fill(await readFile(file, 'utf8')), options));
  }
  return files;
}
