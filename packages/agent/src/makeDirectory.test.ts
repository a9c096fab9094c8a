import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeDirectory } from './makeDirectory.js';

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'make-'));
  onTestFinished(() => rm(made, { recursive: true }));
  return made;
}

describe('makeDirectory', () => {
  it('makes all that is missing, and says what was made first', async () => {
    const root = await folder();
    expect(await makeDirectory(join(root, 'a/b/c'))).toBe(join(root, 'a'));
    expect((await stat(join(root, 'a/b/c'))).isDirectory()).toBe(true);
    expect(await makeDirectory(join(root, 'a/b/d'))).toBe(join(root, 'a/b/d'));
    expect(await makeDirectory(join(root, 'a/b/d'))).toBeUndefined();
    expect(await makeDirectory('/')).toBeUndefined();
  });

  it('makes the same one several times at once', async () => {
    const path = join(await folder(), 'a/b/c/d');
    await Promise.all(Array.from({ length: 20 }, () => makeDirectory(path)));
    expect((await stat(path)).isDirectory()).toBe(true);
  });

  it('follows links, and rejects where it cannot be', async () => {
    const root = await folder();
    await mkdir(join(root, 'real'));
    await symlink('real', join(root, 'good'));
    await symlink('gone', join(root, 'dangling'));
    await symlink('loop', join(root, 'loop'));
    await writeFile(join(root, 'file'), '');
    expect(await makeDirectory(join(root, 'good'))).toBeUndefined();
    await makeDirectory(join(root, 'good/more'));
    expect((await stat(join(root, 'real/more'))).isDirectory()).toBe(true);
    await expect(makeDirectory(join(root, 'dangling'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeDirectory(join(root, 'dangling/a'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeDirectory(join(root, 'loop'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeDirectory(join(root, 'loop/a'))).rejects.toMatchObject({ code: 'ELOOP' });
    await expect(makeDirectory(join(root, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeDirectory(join(root, 'file/a'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it('ends where a file system has room for nothing', async () => {
    await expect(makeDirectory('/proc/none/orders')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
