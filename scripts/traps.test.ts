import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const page = readFileSync(join(root, 'docs/compatibility.md'), 'utf8');

/** The cells of the rows of a section's table. */
function rowsOf(heading: string): readonly (readonly string[])[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** Files that a cell names: those of synapse, where no other folder is named. */
function filesIn(cell: string): readonly string[] {
  return [...cell.matchAll(/`([\w./]+)`/g)].map(([, name = '']) => {
    const isElsewhere = /^(integration|packages|docs)\//.test(name);
    return join(root, isElsewhere ? name : `packages/synapse/src/${name}`);
  });
}

/** Numbers of the traps of a migration that the titles of a file's tests name, in words or by the rows of a table. */
function trapsIn(text: string): readonly number[] {
  const titles = [...text.matchAll(/\btraps? (\d+(?:(?:, | and )\d+)*)/g)].flatMap(([, numbers = '']) =>
    numbers.split(/, | and /),
  );
  const rows = text.includes("'trap %i")
    ? [...text.matchAll(/^ {4}\[\n? *(\d+),/gm)].map(([, row]) => row)
    : [];
  return [...titles, ...rows].map(Number);
}

const all = Array.from({ length: 30 }, (_, index) => index + 1);

describe('the traps of a migration from the Ruby pair', () => {
  it('have a test that names it, each', () => {
    const tests = ['packages', 'integration'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules'))
        .map((file) => join(root, folder, file)),
    );
    const named = new Set(tests.flatMap((file) => trapsIn(readFileSync(file, 'utf8'))));
    expect(all.filter((trap) => !named.has(trap))).toEqual([]);
  });

  it('are all in docs/compatibility.md, with tests that name them', () => {
    const rows = rowsOf('The traps of a migration');
    expect(rows.map(([number]) => Number(number))).toEqual(all);
    const wrong = rows.flatMap(([number = '', , , tests = '']) =>
      filesIn(tests)
        .filter((file) => !existsSync(file) || !trapsIn(readFileSync(file, 'utf8')).includes(Number(number)))
        .map((file) => `trap ${number}: ${file}`),
    );
    expect(wrong).toEqual([]);
    expect(rows.filter(([, , , tests = '']) => filesIn(tests).length === 0)).toEqual([]);
  });
});

it('the watcher table of docs/compatibility.md names code and tests that exist', () => {
  const rows = rowsOf('The watcher table, row by row');
  expect(rows.length).toBeGreaterThan(20);
  for (const [row = '', code = '', tests = '', missing = ''] of rows) {
    expect([row, ...[...filesIn(code), ...filesIn(tests)].filter((file) => !existsSync(file))]).toEqual([
      row,
    ]);
    expect([row, filesIn(tests).filter((file) => file.endsWith('.test.ts')).length > 0]).toEqual([row, true]);
    expect([row, missing === '']).toEqual([row, false]);
  }
});
