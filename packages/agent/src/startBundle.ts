// The first that an executable loads, and alone: whatever else takes a while, and a SIGHUP meanwhile would end it.
import './hangups.js';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

export { onHangup } from './hangups.js';
export { importModule } from './importing.js';

/** Where the compiled form of a bundle is kept: its name is in the first line, so that no bundle meets another's. */
export function cachePath(file: string, source: string): string {
  return `${file}.${/^\/\/ (\w+)\n/.exec(source)?.[1] ?? 'none'}.cache`;
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Runs a bundle, which is one function of CommonJS's five. What V8 made of it when it was built spares it the
 * compilation; another version of Node.js refuses that, and compiles. Returns the script, for whoever builds the cache.
 */
export function startBundle(file: string): Script {
  // The bundle is plain ASCII, which needs no decoding.
  const source = readFileSync(file, 'latin1');
  const cachedData = read(cachePath(file, source));
  const script = new Script(source, { filename: file, ...(cachedData && { cachedData }) });
  const module = { exports: {} };
  const main = script.runInThisContext() as (...commonJs: unknown[]) => void;
  main(module.exports, createRequire(file), module, file, dirname(file));
  return script;
}
