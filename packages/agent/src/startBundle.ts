// The first that an executable loads, and alone: whatever else takes a while, and a SIGHUP meanwhile would end it.
import './hangups.js';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

export { onHangup } from './hangups.js';
export { importModule } from './importing.js';

/** Where the compiled form of a bundle is kept: its name is in the first line, so that no bundle meets another's. */
export function cachePath(file: string, source: string): string {
  return `${file}.${/^\/\/ (\w+)\n/.exec(source)?.[1] ?? 'none'}.cache`;
}

/** Reads a file, into the memory of one that was read before where it fits: fresh memory is dear at a start. */
function read(path: string, used: Buffer = Buffer.alloc(0)): Buffer {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const into: Buffer = size <= used.length ? used.subarray(0, size) : Buffer.allocUnsafeSlow(size);
    let length = 0;
    for (let got = -1; got !== 0 && length < size; length += got) {
      got = readSync(file, into, length, size - length, null);
    }
    return into.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

function readIfThere(path: string, used: Buffer): Buffer | undefined {
  try {
    return read(path, used);
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
  const bytes = read(file);
  const source = bytes.toString('latin1');
  const cachedData = readIfThere(cachePath(file, source), bytes);
  const script = new Script(source, { filename: file, ...(cachedData && { cachedData }) });
  const module = { exports: {} };
  const main = script.runInThisContext() as (...commonJs: unknown[]) => void;
  main(module.exports, createRequire(file), module, file, dirname(file));
  return script;
}
