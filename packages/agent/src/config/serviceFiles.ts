import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileIssue } from './parse.js';
import { ConfigError } from './types.js';

/** One definition in a service_conf_dir. */
export interface ServiceFile {
  /** The file's name without its extension: `foo.bar.yaml` defines `foo.bar`. */
  readonly service: string;
  readonly file: string;
}

/**
 * The files that Ruby's `Dir.glob('*.{yaml,json}')` finds, in its order: one extension after the
 * other, each sorted by bytes. A service in two files is listed twice; the later one counts. (Nerve
 * globs yaml first, synapse json first.) Throws ConfigError when the directory cannot be read.
 */
export async function listServiceFiles(
  dir: string,
  extensions: readonly ('yaml' | 'json')[] = ['yaml', 'json'],
): Promise<readonly ServiceFile[]> {
  let names: string[];
  try {
    names = await readdir(dir);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const why = code === 'ENOENT' ? 'The directory does not exist' : `The directory cannot be read (${code})`;
    throw new ConfigError([fileIssue(dir, why)]);
  }
  // Hidden names are what editors (.foo.yaml.swp, .#foo.yaml) and our own atomic writes leave behind.
  const visible = names.filter((name) => !name.startsWith('.')).sort(byBytes);
  return extensions.flatMap((extension) =>
    visible
      .filter((name) => name.endsWith(`.${extension}`))
      .map((name) => ({ service: name.slice(0, -extension.length - 1), file: join(dir, name) })),
  );
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
