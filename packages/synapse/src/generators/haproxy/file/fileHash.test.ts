import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileHash, hashOf } from './fileHash.js';

describe('the hash of a file', () => {
  let dir: string;
  let path: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'hash-'));
    path = join(dir, 'haproxy.cfg');
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('follows every way to change it', async () => {
    const file = new FileHash(path);
    expect(await file.read()).toBeUndefined();
    await writeFile(path, 'one');
    expect(await file.read()).toBe(hashOf('one'));
    await writeFile(path, 'edited in place');
    expect(await file.read()).toBe(hashOf('edited in place'));
    await writeFile(`${path}.new`, 'put in its place');
    await rename(`${path}.new`, path);
    expect(await file.read()).toBe(hashOf('put in its place'));
    await rm(path);
    expect(await file.read()).toBeUndefined();
  });
});
