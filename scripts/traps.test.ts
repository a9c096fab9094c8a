import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

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

it('each trap of a migration from the Ruby pair has a test that names it', () => {
  const tests = ['packages', 'integration'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules'))
      .map((file) => join(root, folder, file)),
  );
  const named = new Set(tests.flatMap((file) => trapsIn(readFileSync(file, 'utf8'))));
  const all = Array.from({ length: 30 }, (_, index) => index + 1);
  expect(all.filter((trap) => !named.has(trap))).toEqual([]);
});
