import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { listServiceFiles } from './serviceFiles.js';
import type { ConfigIssue } from './types.js';

/**
 * Warnings for what a service_conf_dir does that surprises: files that are never read, two files for one service,
 * and definitions in the main file (`inline`) that a file replaces. A directory that cannot be read says nothing here.
 */
export async function serviceFileSurprises(
  dir: string,
  extensions: readonly ('yaml' | 'json')[],
  inline: readonly string[],
): Promise<readonly ConfigIssue[]> {
  const names = await readdir(dir).catch(() => []);
  const files = await listServiceFiles(dir, extensions).catch(() => []);
  const warn = (file: string, message: string): ConfigIssue => ({
    ...{ file, line: 0, column: 0, path: '', message, severity: 'warning' },
  });
  const read = new Set(files.map(({ file }) => file));
  const ignored = names
    .filter((name) => !name.startsWith('.') && /\.(ya?ml|json)([~.].*)?$/i.test(name))
    .map((name) => join(dir, name))
    .filter((file) => !read.has(file))
    .sort()
    .map((file) =>
      warn(file, 'This file is never read: only *.yaml and *.json are; rename it, or move it away'),
    );
  const last = new Map(files.map(({ service, file }) => [service, file]));
  const doubles = files
    .filter(({ service, file }) => last.get(service) !== file)
    .map(({ service, file }) =>
      warn(
        file,
        `${last.get(service) ?? ''} defines ${service}, too, and is the one that counts: remove one`,
      ),
    );
  const replaced = inline.flatMap((name) => {
    const file = last.get(name);
    return file === undefined
      ? []
      : [warn(file, `It replaces the definition of ${name} in the main file: remove one`)];
  });
  return [...ignored, ...doubles, ...replaced];
}
