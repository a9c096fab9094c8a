import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cachePath, startBundle } from './startBundle.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bundle-'));
  file = join(folder, 'agent.cjs');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(id: string, body: string): void {
  writeFileSync(
    file,
    `// ${id}\n(function (exports, require, module, __filename, __dirname) {\n${body}\n})\n`,
  );
}
const started = globalThis as { started?: unknown };

describe('startBundle', () => {
  it('runs a bundle as CommonJS, compiled ahead or not', () => {
    write(
      'abc',
      "globalThis.started = [__filename, require('node:path').basename(__dirname), typeof module];",
    );
    const script = startBundle(file);
    expect(started.started).toEqual([file, folder.split('/').at(-1), 'object']);
    expect(script.cachedDataRejected).toBeUndefined();
    writeFileSync(cachePath(file, readFileSync(file, 'latin1')), script.createCachedData());
    expect(startBundle(file).cachedDataRejected).toBe(false);
  });

  it('never meets what another bundle was compiled to', () => {
    write('abc', 'globalThis.started = 1;');
    writeFileSync(cachePath(file, readFileSync(file, 'latin1')), startBundle(file).createCachedData());
    write('abd', 'globalThis.started = 2;');
    expect(startBundle(file).cachedDataRejected).toBeUndefined();
    expect(started.started).toBe(2);
  });

  it('compiles when what is there is of no use', () => {
    write('abc', 'globalThis.started = 3;');
    writeFileSync(cachePath(file, readFileSync(file, 'latin1')), 'no code');
    expect(startBundle(file).cachedDataRejected).toBe(true);
    expect(started.started).toBe(3);
  });
});
