import { readFile, readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generatedFiles } from './generated.ts';
import { keyTable } from './keyTables.ts';

const files = await generatedFiles();

describe('generated files', () => {
  it.each([...files])('%s is what `npm run schema` writes', async (file, text) => {
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('config/schema holds nothing else', async () => {
    const folder = resolve(import.meta.dirname, '../config/schema');
    const expected = [...files.keys()]
      .filter((file) => file.startsWith(folder))
      .map((file) => basename(file));
    expect((await readdir(folder)).sort()).toEqual(expected.sort());
  });

  it('every example names a schema that exists', async () => {
    const config = resolve(import.meta.dirname, '../config');
    const services = (await readdir(join(config, 'services'))).map((file) => join('services', file));
    for (const file of ['nerve.yaml', 'synapse.yaml', ...services]) {
      const schema = /^# yaml-language-server: \$schema=(\S+)$/m.exec(
        await readFile(join(config, file), 'utf8'),
      );
      expect(files.has(resolve(config, file, '..', schema?.[1] ?? '')), file).toBe(true);
    }
  });
});

describe('keyTable', () => {
  const schema = {
    properties: {
      port: { type: 'integer', description: 'Where | it listens.' },
      mode: { enum: ['http', 'tcp'], default: 'http' },
      checks: { items: { oneOf: [{ properties: { type: { const: 'tcp' }, rise: { type: 'number' } } }] } },
    },
    required: ['port'],
  };

  it('lists keys with type, default and meaning', () => {
    expect(keyTable(schema, '').split('\n').slice(2)).toEqual([
      '| `port` | number | **required** | Where \\| it listens. |',
      '| `mode` | `http`, `tcp` | `http` |  |',
      '| `checks` | any |  |  |',
    ]);
  });

  it('finds a variant of a list', () => {
    expect(keyTable(schema, 'checks[tcp]')).toContain('| `rise` | number |');
  });

  it('refuses a path that is not there', () => {
    expect(() => keyTable(schema, 'checks[http]')).toThrow('no variant checks[http]');
    expect(() => keyTable(schema, 'nope')).toThrow('no key nope');
  });
});
